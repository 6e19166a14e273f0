//! What needs no cloud: files of the host, and a URL in the command line of the kernel.

use crate::host::{Host, assert_names};
use crate::server::{Answer, Server};
use crate::vagrant::user_data_alone;

const USER_DATA: &str = "#cloud-config\nhostname: from-url\n";

fn server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/user-data" => Answer::text(USER_DATA),
        "/empty" => Answer::text(""),
        "/moved" => Answer::page(301, "Moved Permanently").with("Location", "/user-data"),
        "/round" => Answer::page(301, "Moved Permanently").with("Location", "/round"),
        "/page" => Answer::page(200, "Welcome to this network"),
        "/large" => Answer::text(vec![b'#'; 10 * 1024 * 1024 + 1]),
        "/refused" => Answer::page(403, "Forbidden"),
        _ => Answer::page(404, "Not Found"),
    })
}

fn booted(line: &str) -> Host {
    Host::new().with("proc/cmdline", format!("BOOT_IMAGE=/vmlinuz root=LABEL=ROOT {line}\n"))
}

#[test]
fn the_url_of_the_kernel_is_read() {
    let server = server();
    let (root, whole) = (server.url(), Ok(user_data_alone("cmdline", USER_DATA)));
    let lines = [
        format!("cloud-config-url={root}user-data"),
        format!("cloud_config_url={root}user-data"),
        format!("cloud-config_url={root}user-data"),
        format!("cloud-config-url={root}refused cloud-config-url={root}user-data"),
        format!("cloud-config-url cloud-config-url={root}user-data"),
        format!("cloud-config-url= cloud_config_url={root}user-data quiet"),
        format!("cloud-config-url={root}moved"),
    ];
    for line in lines {
        assert_eq!(booted(&line).fetch("cmdline"), whole, "{line}");
    }
}

#[test]
fn a_url_that_gives_no_user_data_is_an_error_that_names_it() {
    let server = server();
    for path in ["refused", "page", "large", "round"] {
        let url = format!("{}{path}", server.url());

        assert_names(booted(&format!("cloud-config-url={url}")).fetch("cmdline"), &[&url]);
    }
}

#[test]
fn a_url_that_is_none_is_an_error() {
    for url in ["ftp://example.com/user-data", "/etc/passwd", "example.com"] {
        assert_names(booted(&format!("cloud-config-url={url}")).fetch("cmdline"), &[url]);
    }
}

#[test]
fn a_password_and_query_in_a_url_are_not_told() {
    let address = server().url().replace("http://", "http://me:s3cret@");
    let line = format!("cloud-config-url={address}refused?token=s3cret");

    let error = booted(&line).within("1", &["--datasource", "cmdline"]).unwrap_err();
    assert!(error.contains("/refused"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn the_first_file_that_is_not_empty_is_user_data() {
    let places = [
        "etc/cloud-config/user-data",
        "var/lib/cloud-config/user-data",
        "var/lib/coreos-install/user_data",
        "usr/share/oem/cloud-config.yml",
    ];
    for first in 0..places.len() {
        let host = places.iter().enumerate().fold(Host::new(), |host, (at, place)| {
            host.with(
                place,
                if at < first { String::new() } else { format!("#cloud-config # {at}\n") },
            )
        });
        let expected = user_data_alone("file", &format!("#cloud-config # {first}\n"));

        assert_eq!(host.fetch("file"), Ok(expected), "{}", places[first]);
    }
}

#[test]
fn a_file_goes_before_the_url_of_the_kernel_and_a_drive() {
    let server = server();
    let line = format!("cloud-config-url={}user-data\n", server.url());
    let host = booted(&line)
        .with("media/configdrive/openstack/latest/user_data", "#cloud-config # drive\n");
    assert_eq!(host.run(&[]), Ok(user_data_alone("cmdline", USER_DATA)));

    let host = host.with("etc/cloud-config/user-data", "#cloud-config # file\n");
    assert_eq!(host.run(&[]), Ok(user_data_alone("file", "#cloud-config # file\n")));
    assert_eq!(server.asked(), ["GET /user-data 200"]);
}
