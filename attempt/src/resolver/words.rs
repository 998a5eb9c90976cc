//! Why a name has no address, in words.

use std::time::Duration;

use hickory_resolver::{
    net::{DnsError, NetError, NoRecords},
    proto::op::ResponseCode,
};

pub(super) const NO_ADDRESS: &str = "the name exists, but has no address";

/// Why a lookup that took this long failed.
pub(super) fn reason(error: &NetError, took: Duration) -> String {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => no_records(none),
        NetError::Dns(DnsError::ResponseCode(code)) => refused(*code),
        NetError::Timeout => format!("no name server answered within {:.1} s", took.as_secs_f64()),
        NetError::Io(_) | NetError::NoConnections => "no name server can be reached".to_owned(),
        NetError::Busy => "the name servers have too many questions to answer".to_owned(),
        NetError::Proto(_) => "it is no name that can be looked up, or the answer cannot be read".to_owned(),
        _ => "the name servers' answer cannot be used".to_owned(),
    }
}

fn no_records(none: &NoRecords) -> String {
    match none.response_code {
        ResponseCode::NXDomain => "there is no such name".to_owned(),
        ResponseCode::NoError => NO_ADDRESS.to_owned(),
        code => refused(code),
    }
}

fn refused(code: ResponseCode) -> String {
    let code = match code {
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        code => format!("code {}", u16::from(code)),
    };
    format!("the name servers answered {code}")
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::Query;

    use super::*;

    #[test]
    fn reasons_are_in_words() {
        let reason = |error| reason(&error, Duration::from_millis(4020));
        let none = |code| NetError::from(NoRecords::new(Query::default(), code));
        assert_eq!(reason(none(ResponseCode::NXDomain)), "there is no such name");
        assert_eq!(reason(none(ResponseCode::NoError)), "the name exists, but has no address");
        assert_eq!(reason(none(ResponseCode::ServFail)), "the name servers answered SERVFAIL");
        assert_eq!(reason(NetError::Timeout), "no name server answered within 4.0 s");
        assert_eq!(
            reason(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused))),
            "the name servers answered REFUSED"
        );
    }
}
