//! Which endpoints are used once etcd has told of its members: those that are configured, and those
//! of the other members, so that a host whose own etcd is down goes on with another one.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use etcd_client::{MemberListResponse, ResponseHeader};
use tonic::transport::Uri;

/// A member as etcd lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Empty until it has started.
    pub(super) name: String,
    /// It does not vote, and may not have all data yet.
    pub(super) is_learner: bool,
    /// It is the one that gave the list.
    pub(super) has_answered: bool,
    /// Where it says that clients reach it.
    pub(super) urls: Vec<String>,
}

impl Member {
    /// All that is known of what an earlier fleetd used.
    pub(super) fn remembered(urls: Vec<String>) -> Self {
        Self { name: "remembered".to_owned(), is_learner: false, has_answered: true, urls }
    }
}

/// The members that an answer lists.
pub(super) fn listed(answer: &MemberListResponse) -> Vec<Member> {
    let answering = answer.header().map(ResponseHeader::member_id);
    let members = answer.members().iter().map(|member| Member {
        name: member.name().to_owned(),
        is_learner: member.is_learner(),
        has_answered: Some(member.id()) == answering,
        urls: member.client_urls().to_vec(),
    });
    members.collect()
}

/// What follows from a list of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learnt {
    /// URLs to use: first those that are configured, then all others in their order.
    pub(super) endpoints: Vec<String>,
    /// Names of the members that cannot be used from here.
    pub(super) unreachable: BTreeSet<String>,
}

/// Decides what to use beside the configured endpoints, with the same settings: what speaks as they
/// do, and means the same member on each host.
pub(super) fn learn(configured: &[String], members: &[Member]) -> Learnt {
    let mut seen = BTreeSet::new();
    let first = configured.iter().filter(|url| seen.insert(url.as_str()));
    let mut endpoints: Vec<_> = first.cloned().collect();
    let known: BTreeSet<_> = configured.iter().filter_map(|url| Origin::of(url)).collect();
    let speaks = |scheme: &str| known.iter().any(|origin| origin.scheme == scheme);

    let (mut found, mut unreachable) = (BTreeSet::new(), BTreeSet::new());
    for member in members.iter().filter(|member| !member.name.is_empty() && !member.is_learner) {
        let mut origins: Vec<_> = member.urls.iter().filter_map(|url| Origin::of(url)).collect();
        origins.retain(|origin| {
            known.contains(origin) || (speaks(&origin.scheme) && !origin.is_of_each_host())
        });
        if origins.is_empty() && !member.has_answered {
            unreachable.insert(member.name.clone());
        }
        found.extend(origins);
    }
    endpoints.extend(found.difference(&known).map(Origin::to_string));
    Learnt { endpoints, unreachable }
}

/// What of a URL tells endpoints apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// `None` for a URL that etcd is not asked at.
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let scheme = uri.scheme_str()?;
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let is_usable =
            is_bare && !authority.as_str().contains('@') && !authority.host().is_empty();
        is_usable.then(|| Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(usual),
        })
    }

    /// Whether each host means itself by it.
    fn is_of_each_host(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(address) => address.is_loopback() || address.is_unspecified(),
            Err(_) => {
                let name = host.trim_end_matches('.');
                let names = ["localhost", "localhost.localdomain", "ip6-localhost"];
                names.contains(&name) || name.ends_with(".localhost")
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{scheme}://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn member(name: &str, urls: &[&str]) -> Member {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        Member { name: name.to_owned(), is_learner: false, has_answered: false, urls }
    }

    fn texts(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn the_members_beside_a_hosts_own_are_used_too() {
        let own =
            Member { has_answered: true, ..member("one", &["http://10.0.0.1:2379/", "unix://a"]) };
        let members =
            [member("three", &["http://10.0.0.3:2379"]), member("two", &["http://TWO:2379"]), own];

        let learnt = learn(&texts(&["http://127.0.0.1:2379"]), &members);

        let urls = [
            "http://127.0.0.1:2379",
            "http://10.0.0.1:2379",
            "http://10.0.0.3:2379",
            "http://two:2379",
        ];
        assert_eq!(learnt, Learnt { endpoints: texts(&urls), unreachable: BTreeSet::new() });
    }

    #[test]
    fn members_that_advertise_what_is_of_each_host_are_not_used_but_named() {
        let configured = texts(&["https://127.0.0.1:2379"]);
        let own = Member { has_answered: true, ..member("own", &["https://localhost:2379"]) };
        let others = [
            "https://localhost:2380",
            "https://127.0.0.2:2379",
            "https://[::1]:2379",
            "https://[::ffff:127.0.0.1]:2379",
            "https://0.0.0.0:2379",
            "https://[::]:2379",
            "http://10.0.0.2:2379",
        ];
        let names = others.map(|url| format!("with {url}"));
        let others = names.iter().zip(others).map(|(name, url)| member(name, &[url]));
        let members: Vec<_> = others.chain([own]).collect();

        let learnt = learn(&configured, &members);

        let unreachable = names.iter().cloned().collect();
        assert_eq!(learnt, Learnt { endpoints: configured, unreachable });
    }

    #[test]
    fn members_that_have_not_started_or_do_not_vote_are_not_used() {
        let learner = Member { is_learner: true, ..member("learner", &["http://10.0.0.2:2379"]) };
        let members = [learner, member("", &["http://10.0.0.3:2379"]), member("", &[])];

        let learnt = learn(&texts(&["http://10.0.0.1:2379"]), &members);

        let endpoints = texts(&["http://10.0.0.1:2379"]);
        assert_eq!(learnt, Learnt { endpoints, unreachable: BTreeSet::new() });
    }

    fn url() -> impl Strategy<Value = String> {
        let scheme = select(vec!["http", "https", "unix", "HTTP"]);
        let host = select(vec![
            "127.0.0.1",
            "localhost",
            "0.0.0.0",
            "[::1]",
            "10.0.0.1",
            "10.0.0.2",
            "[2001:db8::1]",
            "etcd.example",
            "ETCD.example",
            "a@b",
            "",
        ]);
        let rest = select(vec!["", "/", ":2379", ":2380", ":2379/", ":2379/x", ":2379/?a", ":x"]);
        prop_oneof![
            9 => (scheme, host, rest).prop_map(|(scheme, host, rest)| format!("{scheme}://{host}{rest}")),
            1 => ".{0,20}",
        ]
    }

    fn any_member() -> impl Strategy<Value = Member> {
        let name = select(vec!["", "one", "two", "three"]);
        (name, any::<bool>(), any::<bool>(), prop::collection::vec(url(), 0..3)).prop_map(
            |(name, is_learner, has_answered, urls)| Member {
                name: name.to_owned(),
                is_learner,
                has_answered,
                urls,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_configured_comes_first_and_the_rest_is_sorted_usable_and_said_by_a_member(
            configured in prop::collection::vec(url(), 1..4),
            members in prop::collection::vec(any_member(), 0..5),
        ) {
            let Learnt { endpoints, unreachable } = learn(&configured, &members);

            let mut unique = configured.clone();
            let mut seen = BTreeSet::new();
            unique.retain(|url| seen.insert(url.clone()));
            prop_assert_eq!(&endpoints[..unique.len()], &unique[..]);
            let origins: Vec<_> =
                endpoints[unique.len()..].iter().map(|url| Origin::of(url).unwrap()).collect();
            prop_assert!(origins.is_sorted_by(|one, next| one < next), "{:?}", origins);
            let told = |origin: &Origin| members.iter().any(|member| {
                !member.name.is_empty()
                    && !member.is_learner
                    && member.urls.iter().any(|url| Origin::of(url).as_ref() == Some(origin))
            });
            let known: Vec<_> = configured.iter().filter_map(|url| Origin::of(url)).collect();
            let used = |origin: &Origin| known.contains(origin) || origins.contains(origin);
            for member in members.iter().filter(|member| !member.name.is_empty() && !member.is_learner) {
                for origin in member.urls.iter().filter_map(|url| Origin::of(url)) {
                    let speaks = known.iter().any(|known| known.scheme == origin.scheme);
                    prop_assert!(used(&origin) || !speaks || origin.is_of_each_host(), "{}", origin);
                }
            }
            for origin in &origins {
                prop_assert!(told(origin) && !origin.is_of_each_host(), "{}", origin);
                prop_assert!(!known.contains(origin), "{}", origin);
                prop_assert!(known.iter().any(|known| known.scheme == origin.scheme), "{}", origin);
            }
            prop_assert!(unreachable.iter().all(|name| members.iter().any(|m| m.name == *name)));
        }

        #[test]
        fn the_order_of_members_and_their_urls_does_not_matter(
            configured in prop::collection::vec(url(), 1..4),
            members in prop::collection::vec(any_member(), 0..5),
        ) {
            let mut turned = members.clone();
            turned.reverse();
            turned.iter_mut().for_each(|member| member.urls.reverse());

            prop_assert_eq!(learn(&configured, &turned), learn(&configured, &members));
        }

        #[test]
        fn what_is_learnt_teaches_nothing_new(
            configured in prop::collection::vec(url(), 1..4),
            members in prop::collection::vec(any_member(), 0..5),
        ) {
            let once = learn(&configured, &members).endpoints;
            let again = Member { urls: once.clone(), ..member("known", &[]) };

            prop_assert_eq!(learn(&configured, &[again]).endpoints, once);
        }
    }
}
