//! What is known of drivers that they do not tell themselves, as of Linux 6.12.
//!
//! Sizes are those at an MTU of 1500 with pages of 4 KiB. "Can grow to" is the
//! room of a buffer less the room in front of the frame and the kernel's
//! bookkeeping behind it (`struct skb_shared_info`, 320 octets), which is how
//! far `bpf_xdp_adjust_tail` goes.

use super::facts::Facts;

/// A driver.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    /// Its name, as `ethtool -i` shows it.
    pub name: &'static str,
    /// The first release of Linux in which it takes programs; none if it does
    /// not.
    pub native_since: Option<(u32, u32)>,
    /// Octets of a frame to which it can grow at its tail; none if that is not
    /// known, or depends.
    pub grown: Option<usize>,
    /// The largest MTU with a program, for those that give it no frames in
    /// several buffers; none if that is not known.
    pub max_mtu: Option<u32>,
    /// What has to hold before it takes a program.
    pub needs: &'static [Need],
    /// What else an operator should know.
    pub note: Option<&'static str>,
}

/// What has to hold before a driver takes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At most half of the queues are in use: a program gets as many to send
    /// by.
    HalfOfQueues,
    /// A queue to spare for each processor. Without it takes programs too, and
    /// is slower.
    SpareQueues,
    /// LRO is off.
    LroOff,
    /// GRO by the card is off.
    GroHwOff,
    /// GRO by the card is off, or the driver may turn it off itself.
    GroHwNotFixed,
}

impl Driver {
    /// The driver of a card, if it is a known one.
    pub fn of(facts: &Facts) -> Option<&'static Self> {
        let info = facts.driver.as_ref().ok()?;
        DRIVERS.iter().find(|driver| driver.name == info.name)
    }
}

/// A driver that takes programs.
const fn native(name: &'static str, since: (u32, u32)) -> Driver {
    Driver {
        name,
        native_since: Some(since),
        grown: None,
        max_mtu: None,
        needs: &[],
        note: None,
    }
}

/// A driver that takes none.
const fn generic_only(name: &'static str) -> Driver {
    Driver {
        native_since: None,
        ..native(name, (0, 0))
    }
}

/// A page, less 256 octets in front of the frame.
const PAGE: Option<usize> = Some(4096 - 256 - 320);
/// Half a page, less 192 octets in front of the frame; Intel's drivers.
const HALF_A_PAGE: Option<usize> = Some(2048 - 192 - 320);

static DRIVERS: &[Driver] = &[
    // Amazon.
    Driver {
        grown: PAGE,
        max_mtu: Some(3498),
        needs: &[Need::HalfOfQueues],
        note: Some("on some instances it sends more slowly than generic mode: measure both"),
        ..native("ena", (5, 6))
    },
    // Broadcom.
    Driver {
        grown: PAGE,
        max_mtu: Some(3502),
        note: Some("its channels must be combined ones (ethtool -L)"),
        ..native("bnxt_en", (4, 11))
    },
    generic_only("bnx2x"),
    generic_only("tg3"),
    // Google.
    Driver {
        grown: Some(2048 - 2 - 320),
        max_mtu: Some(2032),
        needs: &[Need::HalfOfQueues, Need::LroOff],
        ..native("gve", (6, 4))
    },
    // Intel.
    generic_only("e1000"),
    generic_only("e1000e"),
    Driver {
        grown: HALF_A_PAGE,
        max_mtu: Some(3046),
        ..native("i40e", (4, 13))
    },
    Driver {
        grown: HALF_A_PAGE,
        max_mtu: Some(3046),
        ..native("ice", (5, 5))
    },
    Driver {
        grown: HALF_A_PAGE,
        max_mtu: Some(3046),
        ..native("igb", (5, 10))
    },
    Driver {
        // Half a page, less a time stamp and the usual room in front.
        grown: Some(2048 - 64 - 16 - 320),
        max_mtu: Some(1500),
        ..native("igc", (5, 13))
    },
    Driver {
        grown: HALF_A_PAGE,
        max_mtu: Some(3050),
        needs: &[Need::LroOff],
        ..native("ixgbe", (4, 12))
    },
    Driver {
        grown: HALF_A_PAGE,
        ..native("ixgbevf", (4, 17))
    },
    // Microsoft.
    Driver {
        grown: PAGE,
        max_mtu: Some(3506),
        needs: &[Need::LroOff],
        ..native("hv_netvsc", (5, 6))
    },
    Driver {
        grown: PAGE,
        ..native("mana", (5, 17))
    },
    // Nvidia (Mellanox).
    Driver {
        grown: PAGE,
        max_mtu: Some(3498),
        ..native("mlx4_en", (4, 8))
    },
    Driver {
        grown: PAGE,
        max_mtu: Some(3498),
        needs: &[Need::LroOff, Need::GroHwOff],
        ..native("mlx5_core", (4, 9))
    },
    // Realtek.
    generic_only("r8169"),
    // Machines in machines.
    Driver {
        grown: Some(1518),
        max_mtu: Some(3506),
        needs: &[Need::SpareQueues, Need::GroHwNotFixed],
        ..native("virtio_net", (4, 10))
    },
    Driver {
        grown: PAGE,
        max_mtu: Some(3494),
        ..native("vmxnet3", (6, 6))
    },
    // Without a card.
    native("veth", (4, 19)),
    generic_only("dummy"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_driver_is_there_once() {
        for (place, driver) in DRIVERS.iter().enumerate() {
            let others = DRIVERS.iter().skip(place + 1);
            assert_eq!(
                others.filter(|other| other.name == driver.name).count(),
                0,
                "{}",
                driver.name
            );
        }
    }
}
