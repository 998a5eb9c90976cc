//! The policy, tried.

use super::*;

fn checked(policy: &AddressPolicy, url: &str) -> Result<(), Forbidden> {
    policy.check_url(url).map(|_| ())
}

#[test]
fn public_https_urls_pass() {
    for url in [
        "https://example.com",
        "https://example.com:8443/a?b=c",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
    ] {
        assert_eq!(checked(&AddressPolicy::default(), url), Ok(()), "{url}");
    }
}

#[test]
fn what_is_wrong_with_a_url_is_said() {
    let refusal = |url| checked(&AddressPolicy::default(), url).unwrap_err();
    assert_eq!(refusal("http://example.com"), Forbidden::Scheme("http".into(), "https"));
    assert_eq!(refusal("gopher://example.com"), Forbidden::Scheme("gopher".into(), "https"));
    assert_eq!(refusal("https://user@example.com"), Forbidden::UserInfo);
    assert_eq!(refusal("https://example.com/#a"), Forbidden::Fragment);
    assert_eq!(refusal("https://example.com:25"), Forbidden::Port(25));
    assert_eq!(refusal("https://example.com:0"), Forbidden::Port(0));
    assert!(matches!(refusal("example.com"), Forbidden::NotAUrl(_)));
}

#[test]
fn what_could_never_be_delivered_to_is_refused() {
    let label = |length: usize| "a".repeat(length);
    let name =
        |length: usize| format!("{}.{}", [label(63), label(63), label(63)].join("."), label(length - 192));
    let refused = [
        (format!("https://{}.example.com/", label(64)), "the part aaaaaaaa… has 64 characters"),
        (format!("https://{}/", name(254)), "it has 254 characters"),
        ("https://a..b/".to_owned(), "its dots"),
        ("https://.example.com/".to_owned(), "its dots"),
        ("https://example.com../".to_owned(), "its dots"),
        ("https://-a.example.com/".to_owned(), "begins or ends with -"),
        ("https://a-.example.com/".to_owned(), "begins or ends with -"),
        ("https://a$b.example.com/".to_owned(), "it holds $"),
        ("https://a*.example.com/".to_owned(), "it holds *"),
        ("https://a b.example.com/".to_owned(), "characters that no name can have"),
        ("https://1.2.3.4.5/".to_owned(), "IPv4"),
        ("https://[::g]/".to_owned(), "IPv6"),
        ("https://example.com/a\nb".to_owned(), "a tab, a line end"),
        ("https://example.com/a\tb".to_owned(), "a tab, a line end"),
        ("https://exam\rple.com/".to_owned(), "a tab, a line end"),
        ("https://example.com/\u{1}".to_owned(), "control character"),
        (" https://example.com/".to_owned(), "a space"),
        ("https:example.com".to_owned(), "come // and the host"),
        ("https:/example.com".to_owned(), "come // and the host"),
        ("https:///example.com".to_owned(), "come // and the host"),
        ("https:\\\\example.com".to_owned(), "come // and the host"),
        ("https://example.com\\a".to_owned(), "it holds \\"),
        ("https://user:password@example.com/".to_owned(), "user name"),
        ("https://:password@example.com/".to_owned(), "user name"),
        ("https://@example.com/".to_owned(), "user name"),
        ("https://example.com:65536/".to_owned(), "65535"),
        ("https://example.com:x/".to_owned(), "65535"),
        ("https://".to_owned(), "no host"),
        ("//example.com/".to_owned(), "https://"),
        (format!("https://example.com/{}", label(2030)), "2048"),
        (format!("https://example.com/?{}", "é".repeat(500)), "2048"),
    ];
    for (url, words) in refused {
        let refusal = checked(&AddressPolicy::default(), &url).unwrap_err().to_string();
        assert!(refusal.contains(words), "{url:?}: {refusal}");
    }
    let longest = format!("https://{}/", name(253));
    for url in ["https://my_service.example.com/", "https://_a.example.com./", "https://a-b/", &longest] {
        assert_eq!(checked(&AddressPolicy::default(), url), Ok(()), "{url}");
    }
}

#[test]
fn a_query_is_kept_byte_for_byte() {
    let saved = |url: &str| AddressPolicy::default().check_url(url).unwrap().to_string();
    for url in [
        "https://example.com/?q='x'&a=%2B+%zz",
        "https://example.com/a?",
        "https://example.com/a?b?c=[]{}|^`\\",
    ] {
        assert_eq!(saved(url), url);
        assert_eq!(saved(&saved(url)), url);
    }
    assert_eq!(saved("https://example.com?a"), "https://example.com/?a");
    assert_eq!(saved("HTTPS://Example.com:443/?A=\"é"), "https://example.com/?A=%22%C3%A9");
}

#[test]
fn of_the_addresses_of_a_name_the_allowed_ones_are_dialled() {
    let policy = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true };
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let allowed = |found| policy.allowed(addresses(found));
    assert_eq!(allowed(&["::1", "127.0.0.1"]), Ok(addresses(&["127.0.0.1"])));
    assert_eq!(allowed(&["::1"]), Err(Forbidden::Addresses(addresses(&["::1"]))));
    assert_eq!(allowed(&[]), Ok(Vec::new()));
}

#[test]
fn every_spelling_of_a_forbidden_address_is_refused() {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "0.0.0.0",
        "10.1.2.3",
        "169.254.169.254",
        "169.254.169.254.",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "①②⑦.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2001:db8::1]",
    ];
    for host in hosts {
        let refusal = checked(&AddressPolicy::default(), &format!("https://{host}/")).unwrap_err();
        assert!(matches!(refusal, Forbidden::Address(_)), "{host}: {refusal}");
    }
}

#[test]
fn the_operator_can_allow_networks_and_http() {
    let policy = AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true };
    assert_eq!(checked(&policy, "http://127.0.0.1:9000/"), Ok(()));
    assert_eq!(checked(&policy, "http://127.0.0.1:9/"), Ok(()));
    assert_eq!(checked(&policy, "http://127.0.0.1:0/"), Err(Forbidden::Port(0)));
    assert_eq!(checked(&policy, "http://localhost:9000/"), Ok(()));
    assert_eq!(policy.check_address("::ffff:127.0.0.1".parse().unwrap()), Ok(()));
    assert!(checked(&policy, "http://10.0.0.1/").is_err());
    assert!(checked(&policy, "http://[::1]/").is_err());
    let only_v6 = AddressPolicy { allow_networks: vec!["::1/128".parse().unwrap()], allow_http: true };
    assert_eq!(checked(&only_v6, "http://localhost:9000/"), Ok(()));
}
