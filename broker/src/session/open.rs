//! Opening a session.

use std::sync::Arc;

use lapin::{Connection, ConnectionProperties, uri::AMQPUri};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Session, lost, watch::watch};
use crate::{
    config::{Config, Role},
    error::{BrokerError, answered},
    topology::Topology,
};

impl Session {
    pub(crate) async fn open(url: &AMQPUri, config: &Config, role: Role) -> Result<Arc<Self>, BrokerError> {
        metrics::describe_counter!(
            "posthorn_broker_sessions_lost_total",
            "Sessions with RabbitMQ that ended by a failure"
        );
        lost().increment(0);
        let (name, (published, consumed)) = (role.name(), role.frames());
        let publishing = connect(url, &format!("posthorn {name} publishing"), published).await?;
        let consuming = connect(url, &format!("posthorn {name} consuming"), consumed).await?;
        let session = Arc::new(Self {
            publishing,
            consuming,
            topology: Topology::new(config),
            tasks: TaskTracker::new(),
            declaring: Default::default(),
            ended: CancellationToken::new(),
            failure: Default::default(),
            consumed: Default::default(),
        });
        let topology = &session.topology;
        let declared = async |channel| topology.declare(&channel, role).await;
        session.on_declaring_channel(declared).await?;
        session.tasks.spawn(watch(session.clone()));
        Ok(session)
    }
}

async fn connect(url: &AMQPUri, name: &str, frame_max: u32) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let mut url = url.clone();
    url.query.frame_max = url.query.frame_max.or(Some(frame_max));
    answered("connect", Connection::connect_uri(url, properties)).await
}
