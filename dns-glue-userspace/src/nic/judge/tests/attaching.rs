//! Whether the program can be attached, and what keeps it from native mode.

use dns_glue_common::room::FrameRoom;

use super::*;
use crate::kernel::room_probe::Probed;

#[test]
fn cards_as_they_should_be_are_green() {
    for driver in [
        "mlx5_core",
        "ixgbe",
        "i40e",
        "ice",
        "ena",
        "virtio_net",
        "gve",
    ] {
        let mut facts = card(driver);
        // What the drivers of clouds need for native mode.
        facts.channels = Ok(Channels {
            combined: count(8, 16),
            ..Channels::default()
        });
        check_complaints(driver, &complaints(&facts, AUTO), &[]);
        check_complaints(driver, &complaints(&facts, NATIVE), &[]);
    }
}

#[test]
fn cards_of_clouds_need_spare_queues() {
    let all = |facts: &mut Facts| {
        facts.channels = Ok(Channels {
            combined: count(8, 8),
            ..Channels::default()
        });
    };
    check_cases(&[
        (
            "ena",
            all,
            AUTO,
            &[&[
                "yellow queues: 8 of 8",
                "at most 4",
                "-> ethtool -L eth7 combined 4",
            ]],
        ),
        ("ena", all, NATIVE, &[&["red queues", "combined 4"]]),
        ("ena", all, GENERIC, &[&["yellow room"]]),
        ("gve", all, AUTO, &[&["yellow queues", "combined 4"]]),
        (
            "virtio_net",
            all,
            NATIVE,
            &[&[
                "yellow queues: 8 of 8: none to spare",
                "-> give the machine 16 queues",
            ]],
        ),
        (
            "virtio_net",
            |facts| facts.channels.as_mut().expect("queues").combined = count(8, 12),
            AUTO,
            &[&[
                "yellow queues: 8 of 12: none to spare",
                "-> ethtool -L eth7 combined 4",
            ]],
        ),
        ("mlx5_core", all, AUTO, &[]),
    ]);
}

#[test]
fn merging_keeps_some_drivers_from_programs() {
    check_cases(&[
        (
            "gve",
            |facts| turn_on(facts, "rx-lro"),
            AUTO,
            &[&[
                "yellow merging",
                "gve takes no program",
                "-> ethtool -K eth7 lro off",
            ]],
        ),
        (
            "gve",
            |facts| turn_on(facts, "rx-lro"),
            NATIVE,
            &[&["red merging"]],
        ),
        (
            "unheard-of",
            |facts| turn_on(facts, "rx-gro-hw"),
            AUTO,
            &[
                &[
                    "yellow merging",
                    "some drivers",
                    "-> ethtool -K eth7 rx-gro-hw off",
                ],
                &["yellow room", "not known"],
            ],
        ),
        (
            "virtio_net",
            |facts| turn_on(facts, "rx-gro-hw"),
            NATIVE,
            &[],
        ),
        (
            "virtio_net",
            |facts| {
                turn_on(facts, "rx-gro-hw");
                let features = facts.features.as_mut().expect("it has features");
                features
                    .iter_mut()
                    .for_each(|feature| feature.changeable = false);
            },
            NATIVE,
            &[&["red merging", "guest_tso4=off"]],
        ),
        // The kernel does it itself.
        (
            "gve",
            |facts| turn_on(facts, "rx-lro"),
            GENERIC,
            &[&["yellow room"]],
        ),
    ]);
}

#[test]
fn mtus_are_held_against_driver_and_replies() {
    check_cases(&[
        (
            "ixgbe",
            |facts| facts.link.mtu = 9000,
            AUTO,
            &[&["yellow MTU: 9000", "ixgbe"]],
        ),
        (
            "ena",
            |facts| facts.link.mtu = 9001,
            AUTO,
            &[&["yellow MTU: 9001", "-> ip link set dev eth7 mtu 3498"]],
        ),
        (
            "ena",
            |facts| facts.link.mtu = 9001,
            NATIVE,
            &[&["red MTU: 9001"]],
        ),
        ("ena", |facts| facts.link.mtu = 3498, NATIVE, &[]),
        (
            "mlx5_core",
            |facts| {
                facts.link.mtu = 9000;
                facts.xdp_features = Ok(WITH_FRAGMENTS);
            },
            NATIVE,
            &[],
        ),
        (
            "unheard-of",
            |facts| facts.link.mtu = 9000,
            AUTO,
            &[&["yellow MTU", "3498"], &["yellow room"]],
        ),
        (
            "ice",
            |facts| facts.link.mtu = 1279,
            AUTO,
            &[&["yellow MTU", "end at 1231 octets, not at 1232", "mtu 1500"]],
        ),
        ("ice", |facts| facts.link.mtu = 1280, AUTO, &[]),
        (
            "ice",
            |facts| facts.link.mtu = 559,
            AUTO,
            &[&["yellow MTU", "over IPv6"]],
        ),
        (
            "ice",
            |facts| facts.link.mtu = 539,
            AUTO,
            &[&["red MTU", "every query passes"]],
        ),
    ]);
}

#[test]
fn native_mode_is_what_was_tried_or_told_or_known() {
    let untell = |facts: &mut Facts| facts.xdp_features = untold();
    check_cases(&[
        (
            "gve",
            |facts| {
                facts.xdp_features = untold();
                facts.host.release = String::from("6.1.0-18");
            },
            AUTO,
            &[
                &[
                    "yellow native XDP: no: gve does from Linux 6.4 on",
                    "--mode generic",
                ],
                &["yellow room"],
            ],
        ),
        ("ixgbe", untell, NATIVE, &[]),
        (
            "tg3",
            untell,
            NATIVE,
            &[&["red native XDP: no: tg3 does not"], &["yellow room"]],
        ),
        ("tg3", untell, GENERIC, &[&["yellow room"]]),
        (
            "unheard-of",
            untell,
            NATIVE,
            &[
                &["yellow native XDP: not known", "check-nic eth7 --probe"],
                &["yellow room"],
            ],
        ),
        (
            "unheard-of",
            |facts| facts.xdp_features = Ok(XdpFeatures(0)),
            AUTO,
            &[
                &["yellow native XDP: no: its driver says so"],
                &["yellow room"],
            ],
        ),
        (
            "ena",
            |facts| facts.xdp_features = Ok(XdpFeatures(0)),
            AUTO,
            &[&["yellow native XDP: no: ena could"], &["yellow room"]],
        ),
    ]);
}

fn probed(mode: AttachMode, room: FrameRoom) -> Probed {
    Probed {
        mode,
        fallback_cause: (mode == AttachMode::Generic).then(|| String::from("EINVAL")),
        is_jited: true,
        room,
    }
}

#[test]
fn what_was_tried_outdoes_what_is_known() {
    let room = FrameRoom {
        frames: 9,
        least_grown: 1294,
        least_head: 216,
    };
    let mut facts = card("unheard-of");
    facts.xdp_features = untold();
    facts.probed = Some(Ok(probed(AttachMode::Native, room)));
    // Ethernet, IPv6, UDP and 1232 octets: 14 + 40 + 8 + 1232.
    check_complaints("measured", &complaints(&facts, NATIVE), &[]);
    assert!(text(&facts, NATIVE, Check::Room).contains("measured on 9 frames"));

    let less = FrameRoom {
        least_grown: 1293,
        ..room
    };
    facts.probed = Some(Ok(probed(AttachMode::Native, less)));
    let expected: &[&[&str]] = &[&["yellow room", "1293 octets at its tail", "frame of 1294"]];
    check_complaints("little room", &complaints(&facts, NATIVE), expected);

    facts.probed = Some(Ok(probed(AttachMode::Generic, FrameRoom::default())));
    let expected: &[&[&str]] = &[
        &["yellow native XDP: no: EINVAL"],
        &["yellow room", "no frame came in"],
    ];
    check_complaints("generic", &complaints(&facts, AUTO), expected);

    facts.probed = Some(Err(String::from("refused")));
    let expected: &[&[&str]] = &[&["red native XDP: no: refused"], &["yellow room"]];
    check_complaints("refused", &complaints(&facts, NATIVE), expected);
}
