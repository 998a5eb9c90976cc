//! The catalogue: event types, companies and projects, as people describe them.

mod companies;
mod event_types;
mod projects;

pub use companies::{
    CompanyView, ListCompanies, NameInput, delete_company, list_companies, name_company, show_company,
};
pub use event_types::{
    EventTypeInput, EventTypeView, ListEventTypes, delete_event_type, describe_event_type, list_event_types,
    show_event_type,
};
pub use projects::{
    ListProjects, OfCompany, ProjectView, delete_project, list_projects, name_project, show_project,
};
