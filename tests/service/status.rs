//! What people and monitoring see of a service.

use crate::service::{Service, map, site};
use crate::site::eventually;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Fetches something as a browser would: the head and the body.
fn get(service: &Service<'_>, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(&service.status).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", service.status).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn the_page_and_the_figures_say_what_has_happened() {
    let site = site();
    let service = Service::start(&site, "map1");
    map(&site, &[&service.server], "wn1", "bob", &[]);
    map(&site, &[&service.server], "wn2", "rita", &[]);
    map(&site, &[&service.server], "wn2", "mallory", &[]);
    let (head, page) = get(&service, "/");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("default-src 'none'"), "{head}");
    for text in [
        "Works",
        "engine gridmapdir",
        "1 answered with an account",
        "2 refused",
        "wn1.example.org",
        "wn2.example.org",
        "credential.revoked",
        "Nobody is banned.",
        "<td>tprd</td><td>1</td><td>10</td><td>10 %</td>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("://"), "nothing from elsewhere: {page}");
    let (_, metrics) = get(&service, "/metrics");
    for line in [
        "glexec_site_answers_total{decision=\"permit\",code=\"\"} 1",
        "glexec_site_answers_total{decision=\"deny\",code=\"lcas.userban\"} 1",
        "glexec_site_answer_seconds_count 3",
        "glexec_site_nodes 2",
        "glexec_site_up 1",
        "glexec_site_bans 0",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line}: {metrics}");
    }
    assert!(get(&service, "/nothing").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_service_that_cannot_answer_says_so_to_whoever_looks() {
    let site = site();
    let service = Service::start(&site, "map1");
    eventually("it is well", || get(&service, "/healthz").0.starts_with("HTTP/1.1 200"));
    site.write("/etc/grid-security/site-bans.json", "{");
    eventually("it is not well", || get(&service, "/healthz").0.starts_with("HTTP/1.1 503"));
    assert!(get(&service, "/").1.contains("Nothing is answered"));
    assert!(get(&service, "/metrics").1.contains("\nglexec_site_up 0\n"));
}
