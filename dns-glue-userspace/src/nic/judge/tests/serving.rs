//! What is served once the program is there: tags, queues, the host, and
//! interfaces that are no cards.

use super::*;

#[test]
fn tags_that_are_taken_out_are_red() {
    check_cases(&[
        (
            "ixgbe",
            |facts| turn_on(facts, "rx-vlan-hw-parse"),
            AUTO,
            &[&[
                "red VLAN tags",
                "--fix-offload",
                "-> ethtool -K eth7 rxvlan off",
            ]],
        ),
        (
            "ixgbe",
            |facts| {
                turn_on(facts, "rx-vlan-hw-parse");
                let features = facts.features.as_mut().expect("it has features");
                features
                    .iter_mut()
                    .for_each(|feature| feature.changeable = false);
            },
            AUTO,
            &[&["yellow VLAN tags", "keep tagged queries off"]],
        ),
        (
            "ixgbe",
            |facts| {
                turn_on(facts, "rx-vlan-hw-parse");
                let features = facts.features.as_mut().expect("it has features");
                features
                    .iter_mut()
                    .for_each(|feature| feature.changeable = false);
                let mut vlan = link(8, "eth7.5", LinkKind::Vlan);
                vlan.lower = Some(INDEX);
                facts.snapshot.links.push(vlan);
            },
            AUTO,
            &[&["red VLAN tags", "eth7.5"]],
        ),
    ]);
}

#[test]
fn a_tag_makes_the_longest_frame_longer() {
    let mut facts = card("ice");
    let needed = |facts: &Facts| text(facts, AUTO, Check::Room).contains("one of 1298");
    assert!(!needed(&facts));
    let mut vlan = link(8, "eth7.5", LinkKind::Vlan);
    vlan.lower = Some(INDEX);
    facts.snapshot.links.push(vlan);
    assert!(needed(&facts));
}

#[test]
fn queries_have_to_reach_the_processors() {
    check_cases(&[
        (
            "ice",
            |facts| facts.channels.as_mut().expect("queues").combined.now = 2,
            AUTO,
            &[&[
                "yellow queues: 2 for 8 processors",
                "-> ethtool -L eth7 combined 8",
            ]],
        ),
        (
            "ice",
            |facts| {
                facts.channels = Ok(Channels {
                    rx: count(2, 4),
                    tx: count(4, 4),
                    ..Channels::default()
                });
            },
            AUTO,
            &[&["yellow queues: 2 for 8", "-> ethtool -L eth7 rx 4 tx 4"]],
        ),
        (
            "ice",
            |facts| facts.udp_flow_hash = [Ok(FlowHash(0x30)), untold()],
            AUTO,
            &[
                &[
                    "yellow UDP hash: udp4: sd, no ports",
                    "-> ethtool -N eth7 rx-flow-hash udp4 sdfn",
                ],
                &["yellow UDP hash: udp6: not known"],
            ],
        ),
        (
            "ice",
            |facts| {
                facts.udp_flow_hash = [Ok(FlowHash(0x30)), untold()];
                facts.channels.as_mut().expect("queues").combined = count(1, 1);
            },
            AUTO,
            &[],
        ),
        (
            "ice",
            |facts| facts.rings.as_mut().expect("rings").rx = count(256, 4096),
            AUTO,
            &[&["yellow rings: 256 of 4096", "-> ethtool -G eth7 rx 1024"]],
        ),
        (
            "virtio_net",
            |facts| facts.rings.as_mut().expect("rings").rx = count(256, 256),
            AUTO,
            &[],
        ),
        (
            "ice",
            |facts| {
                let interrupts = facts.interrupts.as_mut().expect("interrupts");
                interrupts
                    .iter_mut()
                    .for_each(|interrupt| interrupt.processors = vec![0]);
            },
            AUTO,
            &[&[
                "yellow interrupts: 8 go to 1 of 8",
                "irqbalance",
                "40 to 47",
            ]],
        ),
        (
            "ice",
            |facts| facts.carrier = Ok(false),
            AUTO,
            &[&["yellow link", "-> ip link set dev eth7 up"]],
        ),
    ]);
}

#[test]
fn the_host_is_judged_too() {
    check_cases(&[
        (
            "ice",
            |facts| facts.host.release = String::from("5.15.0"),
            AUTO,
            &[&["red kernel: kernel 5.15.0 is too old"]],
        ),
        (
            "ice",
            |facts| facts.host.jit = Ok(0),
            AUTO,
            &[&["yellow JIT", "-> sysctl -w net.core.bpf_jit_enable=1"]],
        ),
        (
            "ice",
            |facts| facts.host.jit = untold(),
            AUTO,
            &[&["yellow JIT: not known"]],
        ),
        (
            "ice",
            |facts| facts.host.jit_harden = Ok(2),
            AUTO,
            &[&["yellow JIT", "-> sysctl -w net.core.bpf_jit_harden=1"]],
        ),
        (
            "ice",
            |facts| facts.host.missing_capabilities = Ok(vec!["CAP_BPF"]),
            AUTO,
            &[&["yellow privileges: missing CAP_BPF"]],
        ),
        (
            "ice",
            |facts| facts.snapshot.addresses.clear(),
            AUTO,
            &[&["yellow addresses: none", "--address"]],
        ),
    ]);
    let mut facts = card("ice");
    facts.host.release = String::from("6.1.0");
    assert!(text(&facts, AUTO, Check::Kernel).contains("verify` needs Linux 6.3"));
}

#[test]
fn a_program_of_others_is_red_and_our_own_is_not() {
    let occupy = |facts: &mut Facts| facts.link.xdp_program = Some(12);
    check_cases(&[
        (
            "ice",
            occupy,
            AUTO,
            &[&[
                "red XDP program",
                "number 12",
                "-> ip link set dev eth7 xdp off",
            ]],
        ),
        (
            "ice",
            |facts| {
                facts.link.xdp_program = Some(12);
                facts.program_name = Some(String::from("dns_glue"));
            },
            AUTO,
            &[&[
                "yellow XDP program: dns-glue is on it",
                "-> dns-glue status",
            ]],
        ),
    ]);
}

#[test]
fn what_has_no_frames_of_its_own_is_red() {
    let mut vlan = virtual_interface("802.1Q VLAN Support", LinkKind::Vlan);
    vlan.link.lower = Some(8);
    vlan.snapshot.links.push(link(8, "eth8", LinkKind::Other));
    check_complaints(
        "vlan",
        &complaints(&vlan, AUTO),
        &[&["red interface", "(--iface eth8)"]],
    );

    let mut bond = virtual_interface("bonding", LinkKind::Bond);
    let mut port = link(9, "eth9", LinkKind::Other);
    port.master = Some(INDEX);
    bond.snapshot.links.push(port);
    check_complaints(
        "bond",
        &complaints(&bond, AUTO),
        &[&["red interface", "--iface eth9"]],
    );

    let mut tun = virtual_interface("tun", LinkKind::Other);
    tun.link.mac = None;
    check_complaints(
        "tun",
        &complaints(&tun, AUTO),
        &[&["red interface", "no MAC address"]],
    );
}

#[test]
fn a_port_of_a_bond_hears_of_it() {
    let mut facts = card("ice");
    facts.link.master = Some(8);
    facts.snapshot.links[0].master = Some(8);
    facts.snapshot.links.push(link(8, "bond0", LinkKind::Bond));
    let expected: &[&[&str]] = &[&["yellow master", "port of the bond bond0", "--address"]];
    check_complaints("port", &complaints(&facts, AUTO), expected);
}

#[test]
fn a_veth_has_little_room() {
    let facts = virtual_interface("veth", LinkKind::Veth);
    let expected: &[&[&str]] = &[&["yellow room", "216 octets", "--probe"]];
    check_complaints("veth", &complaints(&facts, NATIVE), expected);
}
