//! WebAssembly that no guest of today needs is refused when a component is installed, in one line that
//! names it, and ends no process, whichever way it comes in.

use std::process::Command;

use tenon_conformance::{Sandbox, proposals};
use tenon_host::proposals::PROPOSALS;
use tenon_host::{CompileError, InstallError};
use tenon_scenarios::server::Server;
use tenon_scenarios::target;

/// What people are told of a component that uses a proposal.
fn refusal(proposal: &str) -> String {
    format!(
        "the component uses the WebAssembly proposal `{proposal}`, which this host does not run; \
         build it without"
    )
}

#[test]
fn each_proposal_that_is_off_is_refused_by_its_name() {
    let sandbox = Sandbox::new();
    for proposal in PROPOSALS.iter().filter(|proposal| !proposal.on) {
        let name = proposal.name;
        let refused = sandbox.install_bytes(&proposals::guest(name)).unwrap_err();
        let InstallError::Compile(CompileError::Proposals(names)) = &refused else {
            panic!("{name}: {refused}");
        };
        assert!(names.contains(&name), "{name}: {refused}");
        if let [one] = names.as_slice() {
            assert_eq!(refusal(one), refused.to_string());
        }
    }
    // Nothing else is wrong with them.
    sandbox.install_bytes(&proposals::well_behaved()).unwrap();
}

#[test]
fn a_call_by_a_subtype_ends_no_process_that_inspects_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gc.wasm");
    std::fs::write(&file, proposals::guest("gc")).unwrap();
    let mut inspect = Command::new(target().join("release/tenon"));
    let output = inspect.arg("inspect").arg(&file).output().unwrap();
    assert_eq!(Some(2), output.status.code(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&refusal("gc")), "{told}");
    assert_eq!(1, told.lines().count(), "{told}");
}

#[tokio::test]
async fn a_call_by_a_subtype_ends_no_server_that_it_is_sent_to() {
    let server = Server::start(&[]);
    let send = |wasm| server.send("POST", "/versions", "application/wasm", wasm);
    let refused = send(proposals::guest("gc")).await;
    assert_eq!(422, refused.status, "{refused:?}");
    assert_eq!("bad_component", refused.body["code"], "{refused:?}");
    assert!(
        refused.body.to_string().contains(&refusal("gc")),
        "{refused:?}"
    );
    assert_eq!(201, send(proposals::well_behaved()).await.status);
}
