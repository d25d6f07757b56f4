//! Numbers of `linux/netlink.h` and `linux/xfrm.h`.

/// Message types (`NLMSG_*`, `XFRM_MSG_*`).
pub(crate) mod kind {
    #![allow(missing_docs, reason = "the names are those of linux/netlink.h and linux/xfrm.h")]

    pub(crate) const ERROR: u16 = 2;
    pub(crate) const DONE: u16 = 3;
    pub(crate) const NEWSA: u16 = 16;
    pub(crate) const DELSA: u16 = 17;
    pub(crate) const GETSA: u16 = 18;
    pub(crate) const NEWPOLICY: u16 = 19;
    pub(crate) const DELPOLICY: u16 = 20;
    pub(crate) const GETPOLICY: u16 = 21;
    pub(crate) const EXPIRE: u16 = 24;
    pub(crate) const UPDPOLICY: u16 = 25;
    pub(crate) const UPDSA: u16 = 26;
    pub(crate) const FLUSHSA: u16 = 28;
    pub(crate) const FLUSHPOLICY: u16 = 29;
    pub(crate) const NEWAE: u16 = 30;
    pub(crate) const GETAE: u16 = 31;
    pub(crate) const NEWSADINFO: u16 = 34;
    pub(crate) const GETSADINFO: u16 = 35;
    pub(crate) const GETDEFAULT: u16 = 40;
}

/// Message flags (`NLM_F_*` of `linux/netlink.h`).
pub(crate) mod flag {
    #![allow(missing_docs, reason = "the names are those of linux/netlink.h")]

    pub(crate) const REQUEST: u16 = 0x1;
    pub(crate) const MULTI: u16 = 0x2;
    pub(crate) const ACK: u16 = 0x4;
    pub(crate) const DUMP_INTR: u16 = 0x10;
    /// In an error: the request is quoted without its body.
    pub(crate) const CAPPED: u16 = 0x100;
    /// In an error: attributes follow.
    pub(crate) const ACK_TLVS: u16 = 0x200;
    pub(crate) const DUMP: u16 = 0x300;
    pub(crate) const REPLACE: u16 = 0x100;
}

/// Attribute types (`XFRMA_*` of `linux/xfrm.h`).
pub(crate) mod attr {
    #![allow(missing_docs, reason = "the names are those of linux/xfrm.h")]

    pub(crate) const ALG_AUTH: u16 = 1;
    pub(crate) const ALG_CRYPT: u16 = 2;
    pub(crate) const ALG_COMP: u16 = 3;
    pub(crate) const ENCAP: u16 = 4;
    pub(crate) const TMPL: u16 = 5;
    pub(crate) const SA: u16 = 6;
    pub(crate) const POLICY: u16 = 7;
    pub(crate) const SEC_CTX: u16 = 8;
    pub(crate) const LTIME_VAL: u16 = 9;
    pub(crate) const REPLAY_VAL: u16 = 10;
    pub(crate) const REPLAY_THRESH: u16 = 11;
    pub(crate) const ETIMER_THRESH: u16 = 12;
    pub(crate) const SRCADDR: u16 = 13;
    pub(crate) const COADDR: u16 = 14;
    pub(crate) const LASTUSED: u16 = 15;
    pub(crate) const POLICY_TYPE: u16 = 16;
    pub(crate) const ALG_AEAD: u16 = 18;
    pub(crate) const ALG_AUTH_TRUNC: u16 = 20;
    pub(crate) const MARK: u16 = 21;
    pub(crate) const TFCPAD: u16 = 22;
    pub(crate) const REPLAY_ESN_VAL: u16 = 23;
    pub(crate) const SA_EXTRA_FLAGS: u16 = 24;
    pub(crate) const PROTO: u16 = 25;
    pub(crate) const ADDRESS_FILTER: u16 = 26;
    pub(crate) const PAD: u16 = 27;
    pub(crate) const OFFLOAD_DEV: u16 = 28;
    pub(crate) const SET_MARK: u16 = 29;
    pub(crate) const SET_MARK_MASK: u16 = 30;
    pub(crate) const IF_ID: u16 = 31;
    pub(crate) const MTIMER_THRESH: u16 = 32;
    pub(crate) const SA_DIR: u16 = 33;
    pub(crate) const NAT_KEEPALIVE_INTERVAL: u16 = 34;
    pub(crate) const SA_PCPU: u16 = 35;
    pub(crate) const IPTFS_DROP_TIME: u16 = 36;
    pub(crate) const IPTFS_REORDER_WINDOW: u16 = 37;
    pub(crate) const IPTFS_DONT_FRAG: u16 = 38;
    pub(crate) const IPTFS_INIT_DELAY: u16 = 39;
    pub(crate) const IPTFS_MAX_QSIZE: u16 = 40;
    pub(crate) const IPTFS_PKT_SIZE: u16 = 41;

    /// Keywords that set an attribute, for error messages.
    pub(crate) const WORDS: &[(u16, &str)] = &[
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

/// `XFRM_INF`: no limit of bytes or packets.
pub(crate) const INFINITE: u64 = u64::MAX;
/// `UDP_ENCAP_ESPINUDP` of `linux/udp.h` (RFC 3948).
pub(crate) const ENCAP_ESP_IN_UDP: u16 = 2;
/// `XFRM_SA_DIR_IN`, from Linux 6.10 on.
pub(crate) const DIRECTION_IN: u8 = 1;
/// `XFRM_SA_DIR_OUT`, from Linux 6.10 on.
pub(crate) const DIRECTION_OUT: u8 = 2;
pub(crate) const POLICY_IN: u8 = 0;
pub(crate) const POLICY_OUT: u8 = 1;
/// `XFRM_POLICY_FWD`: for packets that this host forwards.
pub(crate) const POLICY_FWD: u8 = 2;
/// `XFRM_POLICY_ALLOW`: pass, protected by the templates if there are any.
pub(crate) const POLICY_ALLOW: u8 = 0;
pub(crate) const POLICY_BLOCK: u8 = 1;
/// `XFRM_OFFLOAD_INBOUND`: the SA is for received packets.
pub(crate) const OFFLOAD_INBOUND: u8 = 2;
/// `XFRM_OFFLOAD_PACKET`, from Linux 6.2 on: the device does all of IPsec, not only the cryptography.
pub(crate) const OFFLOAD_PACKET: u8 = 4;
/// `XFRM_AE_RVAL`: replay counters are included.
pub(crate) const EVENT_REPLAY: u32 = 2;
/// Multicast groups (`XFRMNLGRP_*`), as bits for bind(2).
pub(crate) const GROUP_EXPIRE: u32 = 1 << 1;
/// `XFRMNLGRP_SA` as a bit for bind(2): SAs added, changed and deleted.
pub(crate) const GROUP_SA: u32 = 1 << 2;
/// Policies that are added, changed or removed.
pub(crate) const GROUP_POLICY: u32 = 1 << 3;
pub(crate) const PROTO_ESP: u8 = 50;
pub(crate) const PROTO_AH: u8 = 51;
pub(crate) const FAMILY_INET: u16 = 2;
/// `AF_INET6` of Linux; other systems number it differently.
pub(crate) const FAMILY_INET6: u16 = 10;
