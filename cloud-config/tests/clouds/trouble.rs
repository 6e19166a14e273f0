//! Bad days that each cloud has: services that come late, are busy, or are not what they seem.

use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::host::{Host, ask, assert_names};
use crate::server::{Answer, Request, Server};
use crate::{azure, cloudstack, digitalocean, ec2, gce, openstack, packet};

pub(crate) type Service = Box<dyn FnMut(&Request) -> Answer + Send>;

/// One cloud: its name, its service, all that it has, and where a document of it is.
pub(crate) struct Cloud {
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    pub(crate) whole: Value,
    metadata: &'static str,
    user_data: &'static str,
}

impl Cloud {
    /// Whether metadata is a document of JSON, not a value at each path.
    fn has_document(&self) -> bool {
        ["digitalocean", "packet", "openstack", "azure"].contains(&self.name)
    }
}

pub(crate) fn clouds() -> Vec<Cloud> {
    let cloud = |name, service, whole, metadata, user_data| Cloud {
        name,
        service,
        whole,
        metadata,
        user_data,
    };
    vec![
        cloud(
            "ec2",
            Box::new(ec2::cloud(ec2::tree(), ec2::Tokens::Required)) as Service,
            ec2::whole(),
            "/2009-04-04/meta-data/local-ipv4",
            "/2009-04-04/user-data",
        ),
        cloud(
            "gce",
            Box::new(gce::cloud(gce::tree())),
            gce::whole(),
            "/computeMetadata/v1/instance/network-interfaces/0/ip",
            "/computeMetadata/v1/instance/attributes/user-data",
        ),
        cloud(
            "digitalocean",
            Box::new(digitalocean::cloud(&digitalocean::droplet(), digitalocean::user_data())),
            digitalocean::whole(),
            "/metadata/v1.json",
            "/metadata/v1/user-data",
        ),
        cloud(
            "packet",
            Box::new(packet::cloud(&packet::machine(), packet::user_data())),
            packet::whole(),
            "/metadata",
            "/userdata",
        ),
        cloud(
            "openstack",
            Box::new(openstack::cloud(openstack::tree())),
            openstack::whole(),
            "/openstack/latest/meta_data.json",
            "/openstack/latest/user_data",
        ),
        cloud(
            "cloudstack",
            Box::new(cloudstack::cloud(cloudstack::tree())),
            cloudstack::whole(),
            "/latest/meta-data/local-ipv4",
            "/latest/user-data",
        ),
        cloud(
            "azure",
            Box::new(azure::cloud(azure::instance())),
            azure::whole(),
            "/metadata/instance",
            "/metadata/instance",
        ),
    ]
}

/// Says this to the first requests, and is the cloud after that.
fn late(first: usize, answer: Answer, mut service: Service) -> Server {
    let mut left = first;
    Server::start(move |request| {
        if left == 0 {
            return service(request);
        }
        left -= 1;
        answer.clone()
    })
}

/// Is the cloud, but says this at one path, so often.
fn broken(path: &'static str, times: usize, answer: Answer, mut service: Service) -> Server {
    let mut left = times;
    Server::start(move |request| {
        if left == 0 || request.path != path {
            return service(request);
        }
        left -= 1;
        answer.clone()
    })
}

/// Runs a claim for all clouds at once, as each waits for its service.
fn each(clouds: impl IntoIterator<Item = Cloud>, claim: impl Fn(Cloud) + Sync) {
    thread::scope(|scope| {
        for cloud in clouds {
            scope.spawn(|| claim(cloud));
        }
    });
}

#[test]
fn a_service_that_comes_up_after_the_host_is_waited_for() {
    for answer in [
        Answer::page(404, "Not Found"),
        Answer::page(500, "Internal Server Error"),
        Answer::page(503, "Service Unavailable"),
        Answer::silence(),
    ] {
        each(clouds(), |cloud| {
            let server = late(2, answer.clone(), cloud.service);

            let found = ask(cloud.name, &server);
            assert_eq!(found, Ok(cloud.whole), "{} {:?}", cloud.name, server.asked());
        });
    }
}

#[test]
fn a_service_that_fails_in_the_middle_is_asked_again() {
    for answer in [
        Answer::page(429, "Too Many Requests"),
        Answer::page(500, "Internal Server Error"),
        Answer::page(503, "Service Unavailable"),
        Answer::silence(),
    ] {
        each(clouds(), |cloud| {
            let server = broken(cloud.user_data, 2, answer.clone(), cloud.service);

            let found = ask(cloud.name, &server);
            assert_eq!(found, Ok(cloud.whole), "{} {:?}", cloud.name, server.asked());
        });
    }
}

#[test]
fn a_busy_service_is_left_alone_as_long_as_it_asks() {
    each(clouds(), |mut cloud| {
        let mut busy: Option<SystemTime> = None;
        let server = Server::start(move |request| {
            let since = *busy.get_or_insert_with(SystemTime::now);
            if since.elapsed().is_ok_and(|time| time < Duration::from_millis(900)) {
                return Answer::page(429, "Too Many Requests").with("Retry-After", "1");
            }
            (cloud.service)(request)
        });

        assert_eq!(ask(cloud.name, &server), Ok(cloud.whole), "{}", cloud.name);
        let refused = server.asked().iter().filter(|line| line.ends_with(" 429")).count();
        assert_eq!(refused, 1, "{} {:?}", cloud.name, server.asked());
    });
}

#[test]
fn a_page_for_people_is_neither_metadata_nor_user_data() {
    let login = Answer::page(200, "Log in to this network");
    for place in [|cloud: &Cloud| cloud.metadata, |cloud: &Cloud| cloud.user_data] {
        each(clouds(), |cloud| {
            let path = place(&cloud);
            let server = broken(path, usize::MAX, login.clone(), cloud.service);

            assert_names(ask(cloud.name, &server), &[path, "web page"]);
        });
    }
}

#[test]
fn a_document_that_is_cut_off_or_none_is_an_error_that_names_the_place() {
    for text in ["{\"id\": 80877, \"compute\": {\"na", "[1, 2]", ""] {
        each(clouds().into_iter().filter(Cloud::has_document), |cloud| {
            let server = broken(cloud.metadata, usize::MAX, Answer::json(text), cloud.service);

            assert_names(ask(cloud.name, &server), &[cloud.metadata]);
        });
    }
}

#[test]
fn a_service_that_never_answers_well_is_an_error_at_the_deadline() {
    each(clouds(), |cloud| {
        let server = Server::start(|_| Answer::page(503, "Service Unavailable"));
        let url = server.url();
        let args = ["--datasource", cloud.name, "--metadata-url", &url];

        assert_names(Host::new().within("1", &args), &[&url, "503"]);
    });
}

#[test]
fn a_service_that_nobody_is_behind_is_an_error_at_the_deadline() {
    each(clouds(), |cloud| {
        let url = Server::start(cloud.service).url();
        let args = ["--datasource", cloud.name, "--metadata-url", &url];

        assert_names(Host::new().within("1", &args), &[&url, "cannot be reached"]);
    });
}

#[test]
fn a_service_that_has_nothing_is_no_datasource() {
    each(clouds(), |cloud| {
        let server = Server::start(|_| Answer::page(404, "Not Found"));
        let url = server.url();
        let args = ["--datasource", cloud.name, "--metadata-url", &url];

        let told = format!("Error: no datasource is there: {} has nothing\n", cloud.name);
        assert_eq!(Host::new().within("2", &args), Err(told));
    });
}

#[test]
fn a_service_that_answers_in_pieces_is_read() {
    each(clouds(), |mut cloud| {
        let server = Server::start(move |request| (cloud.service)(request).chunked());

        assert_eq!(ask(cloud.name, &server), Ok(cloud.whole), "{}", cloud.name);
    });
}
