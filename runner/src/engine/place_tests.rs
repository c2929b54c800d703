use std::fs;

use super::*;

/// A directory of the docker command, without contexts yet.
fn config() -> (tempfile::TempDir, EngineHints) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let here = EngineHints { config: dir.path().to_owned(), ..EngineHints::default() };
    (dir, here)
}

/// Makes a context as `docker context create` does. The name of its directory is what `printf NAME | sha256sum` prints.
fn context(dir: &Path, id: &str, name: &str, endpoint: &str) {
    let meta = dir.join("contexts/meta").join(id);
    fs::create_dir_all(&meta).expect("directory");
    let text =
        format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
    fs::write(meta.join("meta.json"), text).expect("written");
}

const REMOTE: &str = "b71199ebd070b36beab7317920c2c2f1d777df8d05e5527d8458fda57cb17a7a";

fn current(dir: &Path, name: &str) {
    let text = format!(r#"{{"auths":{{}},"currentContext":"{name}"}}"#);
    fs::write(dir.join("config.json"), text).expect("written");
}

fn found(here: &EngineHints) -> EnginePlace {
    EnginePlace::find(here).expect("a place")
}

fn refused(here: &EngineHints) -> String {
    EnginePlace::find(here).expect_err("refused").to_string()
}

fn socket(path: &str) -> EngineAt {
    EngineAt::Socket(path.into())
}

#[test]
fn without_a_word_it_is_the_usual_socket() {
    let (dir, here) = config();
    assert_eq!(found(&here).at, socket(DEFAULT_SOCKET));
    // A file without a current context, or with the default one, changes nothing.
    for text in ["{}", r#"{"currentContext":""}"#, r#"{"currentContext":"default"}"#, "no json"] {
        fs::write(dir.path().join("config.json"), text).expect("written");
        assert_eq!(found(&here).at, socket(DEFAULT_SOCKET), "{text}");
    }
    let named = EngineHints { context: Some("default".to_owned()), ..here };
    assert_eq!(found(&named).at, socket(DEFAULT_SOCKET));
}

#[test]
fn an_engine_without_root_is_used_where_there_is_no_other() {
    let (dir, mut here) = config();
    let own = dir.path().join("docker.sock");
    here.own_sockets = vec![dir.path().join("missing.sock"), own.clone()];
    fs::write(&own, "").expect("written");
    let wanted = if is_missing(Path::new(DEFAULT_SOCKET)) { own } else { DEFAULT_SOCKET.into() };
    assert_eq!(found(&here).at, EngineAt::Socket(wanted));
}

#[test]
fn the_current_context_is_that_of_the_docker_command() {
    let (dir, here) = config();
    context(dir.path(), REMOTE, "remote", r#"{"Host":"unix:///run/other.sock"}"#);
    assert_eq!(found(&here).at, socket(DEFAULT_SOCKET), "it is not in force");
    current(dir.path(), "remote");
    let place = found(&here);
    assert_eq!(place.at, socket("/run/other.sock"));
    assert_eq!(place.to_string(), "unix:///run/other.sock (the docker context `remote`)");
}

#[test]
fn the_variable_goes_before_the_file_and_the_host_before_both() {
    let (dir, mut here) = config();
    context(dir.path(), REMOTE, "remote", r#"{"Host":"tcp://10.0.0.1:2375"}"#);
    current(dir.path(), "missing");
    here.context = Some("remote".to_owned());
    assert_eq!(found(&here).at, EngineAt::Tcp("10.0.0.1:2375".to_owned()));
    here.context = Some("default".to_owned());
    assert_eq!(found(&here).at, socket(DEFAULT_SOCKET), "it overrides the file");
    here.context = Some("nowhere".to_owned());
    here.host = Some("unix:///run/podman/podman.sock".to_owned());
    let place = found(&here);
    assert_eq!(place.at, socket("/run/podman/podman.sock"));
    assert_eq!(place.to_string(), "DOCKER_HOST=unix:///run/podman/podman.sock");
}

#[test]
fn a_context_that_does_not_exist_is_named_with_who_asks_for_it() {
    let (dir, mut here) = config();
    here.context = Some("staging".to_owned());
    let text = refused(&here);
    assert!(
        text.contains("context `staging`, which DOCKER_CONTEXT names, does not exist"),
        "{text}"
    );
    assert!(text.contains("docker context ls"), "{text}");
    here.context = None;
    current(dir.path(), "gone");
    let text = refused(&here);
    let file = dir.path().join("config.json");
    let words = format!("context `gone`, which {} names, does not exist", file.display());
    assert!(text.contains(&words), "{text}");
}

#[test]
fn a_context_that_cannot_be_used_says_why() {
    for (endpoint, words) in [
        ("null", "names no container engine"),
        (
            r#"{"Host":"ssh://me@host"}"#,
            "the docker context `remote` names ssh://me@host: kplan cannot reach",
        ),
        (r#"{"Host":"tcp://a:1","SkipTLSVerify":true}"#, "does not check the engine's certificate"),
        ("1", "cannot be read from"),
    ] {
        let (dir, mut here) = config();
        context(dir.path(), REMOTE, "remote", endpoint);
        here.context = Some("remote".to_owned());
        let text = refused(&here);
        assert!(text.contains(words), "{endpoint}: {text}");
    }
}

#[test]
fn certificates_of_a_context_and_of_the_environment_mean_tls() {
    let (dir, mut here) = config();
    context(dir.path(), REMOTE, "remote", r#"{"Host":"tcp://10.0.0.1"}"#);
    let tls = dir.path().join("contexts/tls").join(REMOTE).join("docker");
    fs::create_dir_all(&tls).expect("directory");
    here.context = Some("remote".to_owned());
    assert_eq!(found(&here).at, EngineAt::Tls("10.0.0.1:2376".to_owned(), tls));
    here.host = Some("tcp://10.0.0.2".to_owned());
    assert_eq!(found(&here).at, EngineAt::Tcp("10.0.0.2:2375".to_owned()), "not for another host");
    here.tls = true;
    assert_eq!(found(&here).at, EngineAt::Tls("10.0.0.2:2376".to_owned(), here.config.clone()));
    here.certificates = Some("/certs".into());
    assert_eq!(found(&here).at, EngineAt::Tls("10.0.0.2:2376".to_owned(), "/certs".into()));
}

#[test]
fn an_address_is_read_as_the_docker_command_reads_it() {
    let at = |host: &str| {
        found(&EngineHints { host: Some(host.to_owned()), ..EngineHints::default() }).at
    };
    let tcp = |host: &str| EngineAt::Tcp(host.to_owned());
    assert_eq!(at("unix://"), socket(DEFAULT_SOCKET));
    assert_eq!(at("unix:///a b.sock"), socket("/a b.sock"));
    assert_eq!(at("10.0.0.1:99"), tcp("10.0.0.1:99"));
    assert_eq!(at("tcp://host"), tcp("host:2375"));
    assert_eq!(at("tcp://"), tcp("localhost:2375"));
    assert_eq!(at("http://host:80/"), tcp("host:80"));
    assert_eq!(at("tcp://[::1]"), tcp("[::1]:2375"));
    assert_eq!(at("tcp://[::1]:7"), tcp("[::1]:7"));
    let host = Some("fd://".to_owned());
    let text = refused(&EngineHints { host, ..EngineHints::default() });
    assert!(
        text.starts_with("DOCKER_HOST names fd://: kplan cannot reach an engine over fd"),
        "{text}"
    );
}
