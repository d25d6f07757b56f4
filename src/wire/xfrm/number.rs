//! Numbers of `linux/netlink.h` and `linux/xfrm.h`.

/// Message types (`NLMSG_*`, `XFRM_MSG_*`).
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of linux/netlink.h and linux/xfrm.h")]

    pub const ERROR: u16 = 2;
    pub const DONE: u16 = 3;
    pub const NEWSA: u16 = 16;
    pub const DELSA: u16 = 17;
    pub const GETSA: u16 = 18;
    pub const NEWPOLICY: u16 = 19;
    pub const DELPOLICY: u16 = 20;
    pub const GETPOLICY: u16 = 21;
    pub const EXPIRE: u16 = 24;
    pub const UPDPOLICY: u16 = 25;
    pub const UPDSA: u16 = 26;
    pub const FLUSHSA: u16 = 28;
    pub const NEWAE: u16 = 30;
    pub const GETAE: u16 = 31;
    pub const NEWSADINFO: u16 = 34;
    pub const GETSADINFO: u16 = 35;
}

/// Message flags (`NLM_F_*`).
pub mod flag {
    #![allow(missing_docs, reason = "the names are those of linux/netlink.h")]

    pub const REQUEST: u16 = 0x1;
    #[cfg(test)]
    pub const MULTI: u16 = 0x2;
    pub const ACK: u16 = 0x4;
    pub const DUMP_INTR: u16 = 0x10;
    /// Of an error: the refused request is not quoted beyond its header.
    pub const CAPPED: u16 = 0x100;
    /// Of an error: attributes follow.
    pub const ACK_TLVS: u16 = 0x200;
    pub const DUMP: u16 = 0x300;
    pub const REPLACE: u16 = 0x100;
}

/// Attribute types (`XFRMA_*`).
pub mod attr {
    #![allow(missing_docs, reason = "the names are those of linux/xfrm.h")]

    pub const ALG_AUTH: u16 = 1;
    pub const ALG_CRYPT: u16 = 2;
    pub const ALG_COMP: u16 = 3;
    pub const ENCAP: u16 = 4;
    pub const TMPL: u16 = 5;
    pub const SA: u16 = 6;
    pub const POLICY: u16 = 7;
    pub const LTIME_VAL: u16 = 9;
    pub const REPLAY_VAL: u16 = 10;
    pub const REPLAY_THRESH: u16 = 11;
    pub const ETIMER_THRESH: u16 = 12;
    pub const SRCADDR: u16 = 13;
    pub const COADDR: u16 = 14;
    pub const LASTUSED: u16 = 15;
    pub const POLICY_TYPE: u16 = 16;
    pub const ALG_AEAD: u16 = 18;
    pub const ALG_AUTH_TRUNC: u16 = 20;
    pub const MARK: u16 = 21;
    pub const TFCPAD: u16 = 22;
    pub const REPLAY_ESN_VAL: u16 = 23;
    pub const SA_EXTRA_FLAGS: u16 = 24;
    pub const PROTO: u16 = 25;
    pub const ADDRESS_FILTER: u16 = 26;
    pub const PAD: u16 = 27;
    pub const OFFLOAD_DEV: u16 = 28;
    pub const SET_MARK: u16 = 29;
    pub const SET_MARK_MASK: u16 = 30;
    pub const IF_ID: u16 = 31;
    pub const MTIMER_THRESH: u16 = 32;
    pub const SA_DIR: u16 = 33;

    /// What a command says to set an attribute, for errors that name one.
    pub const WORDS: &[(u16, &str)] = &[
        (ALG_AUTH, "authalg, authkey"),
        (ALG_CRYPT, "encralg, encrkey"),
        (ENCAP, "encap, nat_lport, nat_rport"),
        (REPLAY_VAL, "replay_value"),
        (ALG_AEAD, "encralg, encrkey"),
        (ALG_AUTH_TRUNC, "authalg, authkey"),
        (MARK, "mark"),
        (TFCPAD, "tfcpad"),
        (REPLAY_ESN_VAL, "replay, replay_value, esn"),
        (SA_EXTRA_FLAGS, "flag"),
        (OFFLOAD_DEV, "offload"),
        (SET_MARK, "output-mark"),
        (SET_MARK_MASK, "output-mark"),
        (IF_ID, "if_id"),
        (SA_DIR, "inbound, outbound"),
    ];
}

/// `XFRM_INF`: no limit, of byte and packet lifetimes.
pub const INFINITE: u64 = u64::MAX;
/// `UDP_ENCAP_ESPINUDP` (`linux/udp.h`).
pub const ENCAP_ESP_IN_UDP: u16 = 2;
/// `XFRM_SA_DIR_IN`.
pub const DIRECTION_IN: u8 = 1;
/// `XFRM_SA_DIR_OUT`.
pub const DIRECTION_OUT: u8 = 2;
/// `XFRM_POLICY_IN`.
pub const POLICY_IN: u8 = 0;
/// `XFRM_POLICY_OUT`.
pub const POLICY_OUT: u8 = 1;
/// `XFRM_POLICY_FWD`.
pub const POLICY_FWD: u8 = 2;
/// `XFRM_POLICY_ALLOW`.
pub const POLICY_ALLOW: u8 = 0;
/// `XFRM_POLICY_BLOCK`.
pub const POLICY_BLOCK: u8 = 1;
/// `XFRM_OFFLOAD_INBOUND`.
pub const OFFLOAD_INBOUND: u8 = 2;
/// `XFRM_OFFLOAD_PACKET`.
pub const OFFLOAD_PACKET: u8 = 4;
/// `XFRM_AE_RVAL`: an event or request is about replay counters.
pub const EVENT_REPLAY: u32 = 2;
/// Multicast groups (`XFRMNLGRP_*`), as bits for bind(2).
pub const GROUP_EXPIRE: u32 = 1 << 1;
/// See [`GROUP_EXPIRE`].
pub const GROUP_SA: u32 = 1 << 2;
/// `IPPROTO_ESP`.
pub const PROTO_ESP: u8 = 50;
/// `IPPROTO_AH`.
pub const PROTO_AH: u8 = 51;
/// `AF_INET` of Linux.
pub const FAMILY_INET: u16 = 2;
/// `AF_INET6` of Linux.
pub const FAMILY_INET6: u16 = 10;
