//! Replacing the program behind links: on all interfaces, or on none.

use std::ffi::CString;
use std::os::fd::AsFd as _;

use dns_glue::kernel::attach::{self, Move};
use dns_glue::kernel::{AttachError, Attachment, LoadOptions, Loaded, Target, load};
use dns_glue::serve::compiled::{ZoneChoice, compile_zones};
use dns_glue_common::policy::Policy;

use super::daemon_support::{Host, SERVER, is_root};
use super::load::marked_zone;

/// A program of its own.
pub fn loaded(host: &Host) -> Loaded {
    let zone = host.file("test.zone", &marked_zone(1));
    let source = format!("test={}", zone.display());
    let choice = ZoneChoice {
        sources: vec![source.parse().expect("a source")],
        also_served: Vec::new(),
        strict: true,
    };
    let compiled = compile_zones(&choice, &()).expect("it compiles");
    let options = LoadOptions {
        policy: Policy::DEFAULT,
        log_level: log::LevelFilter::Off,
        verifier_log: None,
    };
    let (loaded, ..) = load::load(&compiled.generation, &options).expect("it loads");
    loaded
}

/// Attaches a program to an interface of this thread's network namespace.
pub fn attached(loaded: &Loaded, name: &str) -> Attachment {
    let c_name = CString::new(name).expect("a name");
    // SAFETY: the name ends with NUL and outlives the call.
    let index = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
    assert_ne!(index, 0, "{name} is there");
    let target = Target {
        name: name.to_owned(),
        index,
        mtu: 1500,
        occupied_by: None,
    };
    attach::attach(loaded, &target, attach::ModeChoice::Auto).expect("it attaches")
}

fn program_of(attachment: &Attachment) -> u32 {
    attachment.link.facts().expect("a link").program
}

#[test]
fn an_interface_that_refuses_leaves_all_as_they_were() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let [first, next, foreign] = [(); 3].map(|()| loaded(&host));
    host.enter(|| {
        let [one, two] = [SERVER, "lo"].map(|name| attached(&first, name));
        let from = first.program_fd().expect("it is loaded").as_fd();
        let one_and_two = [(SERVER, &one), ("lo", &two)].map(|(interface, attachment)| Move {
            interface,
            link: &attachment.link,
            from: Some(from),
        });
        let programs = || [program_of(&one), program_of(&two)];

        // Somebody else has put a program behind the second link.
        let by_another = Move {
            interface: "lo",
            link: &two.link,
            from: None,
        };
        attach::replace(&[by_another], &foreign).expect("it is replaced");
        let error = attach::replace(&one_and_two, &next).expect_err("the second refuses");
        assert!(
            matches!(&error, AttachError::NotReplaced { interface, .. } if interface == "lo"),
            "{error}"
        );
        assert_eq!(programs(), [first.program.id, foreign.program.id]);

        let back = Move {
            interface: "lo",
            link: &two.link,
            from: None,
        };
        attach::replace(&[back], &first).expect("it is replaced");
        attach::replace(&one_and_two, &next).expect("none refuses");
        assert_eq!(programs(), [next.program.id; 2]);
    });
}

#[test]
fn an_interface_that_is_gone_keeps_none_from_the_next_program() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let [first, next] = [(); 2].map(|()| loaded(&host));
    host.enter(|| {
        let [one, two] = [SERVER, "lo"].map(|name| attached(&first, name));
        host.ip(&format!("link del {SERVER}"));
        let from = first.program_fd().expect("it is loaded").as_fd();
        let moves = [(SERVER, &one), ("lo", &two)].map(|(interface, attachment)| Move {
            interface,
            link: &attachment.link,
            from: Some(from),
        });
        attach::replace(&moves, &next).expect("one is gone, none refuses");
        assert_eq!(one.link.facts().expect("a link").interface, None);
        assert_eq!(program_of(&two), next.program.id);
    });
}
