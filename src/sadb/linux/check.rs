//! Checks of a new SA that the kernel does not make (`net/xfrm/xfrm_user.c` accepts all of this).

use crate::names::algorithms::{Auth, Encr, KeyBits, auth_by_number, encr_by_number};
use crate::names::weak_keys;
use crate::sa::{AuthAlg, EncrAlg, Lifetime, Request, SaState, SaType, XfrmFlags, XfrmMode};
use crate::sadb::SadbError;
use crate::sadb::error::refuse;
use crate::sadb::linux::direction::SaDirection;
use crate::secret::Key;

/// The algorithms of a new SA, checked.
pub(super) struct Algorithms {
    /// Authentication algorithm, if any.
    pub(super) auth: Option<&'static Auth>,
    /// Encryption algorithm; none in AH.
    pub(super) encr: Option<&'static Encr>,
}

/// Of a request whose destination is missing or unspecified.
pub(super) const NO_DESTINATION: &str = "an SA is identified by its destination: specify dst with an address";

/// Shortest ICV in bits (RFC 2104 section 5).
const MIN_ICV_BITS: u16 = 80;

/// Checks a request to add an SA.
pub(super) fn check_add(request: &Request) -> Result<Algorithms, SadbError> {
    if request.spi.0 == 0 {
        return refuse(
            "SPI 0 is reserved (RFC 4303 section 2.1): Linux would add an SA that cannot be read or deleted".into(),
        );
    }
    // XFRM has no field for the state.
    if request.state != SaState::MATURE {
        return refuse(format!("Linux adds SAs in state mature only, not in state {}", request.state.0));
    }
    check_lifetimes(*request.soft, *request.hard)?;
    check_packet_limits(request)?;
    check_kernel_rules(request)?;
    let algorithms = Algorithms { auth: auth(request.auth_alg)?, encr: encr(request.encr_alg)? };
    check_icv(request, algorithms.auth)?;
    match request.sa_type {
        SaType::AH => check_ah(request, algorithms),
        SaType::ESP => check_esp(request, algorithms),
        other => refuse(format!("SA type {} has no database in Linux: use ah or esp", other.0)),
    }
}

/// What the kernel refuses whatever SAs it has (`verify_newsa_info` in xfrm_user.c, `__xfrm_init_state` in xfrm_state.c,
/// `xfrm_dev_state_add` in xfrm_device.c). Older kernels give no reason.
fn check_kernel_rules(request: &Request) -> Result<(), SadbError> {
    let (linux, mode) = (&request.linux, request.mode());
    // An outbound SA has no window, and needs none on kernels that know the direction.
    let is_outbound = SaDirection::from_flags(request.flags) == Some(SaDirection::Out);
    if linux.flags.has(XfrmFlags::ESN) && request.replay == 0 && !is_outbound {
        return refuse("esn without replay: ESN needs an anti-replay window on Linux: add replay 32".into());
    }
    if linux.tfcpad != 0 && request.sa_type == SaType::AH {
        return refuse("AH has no padding: leave out tfcpad".into());
    }
    if linux.tfcpad != 0 && mode != XfrmMode::TUNNEL {
        return refuse("tfcpad: Linux pads packets in tunnel mode only: add mode tunnel".into());
    }
    if let Some(offload) = &linux.offload {
        let has_encap = request.natt_local.is_some() || request.natt_remote.is_some();
        if linux.tfcpad != 0 || (has_encap && !offload.whole_packet) {
            return refuse("offload: a device has no offload of tfcpad, nor of encap without offload-packet".into());
        }
    }
    check_selector_family(request, mode)
}

/// Only a tunnel can have packets of another family inside.
fn check_selector_family(request: &Request, mode: XfrmMode) -> Result<(), SadbError> {
    let (Some(inner), Some(dst)) = (*request.inner_dst, request.dst) else { return Ok(()) };
    // An unspecified inner address takes the family of the other one.
    let inner = request.inner_src.filter(|_| inner.addr.is_unspecified()).unwrap_or(inner);
    if mode == XfrmMode::TRANSPORT && inner.addr.is_ipv4() != dst.addr.to_canonical().is_ipv4() {
        return refuse("transport mode: isrc and idst must be of the family of dst".into());
    }
    Ok(())
}

fn auth(number: AuthAlg) -> Result<Option<&'static Auth>, SadbError> {
    if number == AuthAlg::NONE {
        return Ok(None);
    }
    match auth_by_number(number) {
        Some(row) => Ok(Some(row)),
        None => refuse(format!("authentication algorithm {} has no name in Linux", number.0)),
    }
}

fn encr(number: EncrAlg) -> Result<Option<&'static Encr>, SadbError> {
    if number == EncrAlg::NONE {
        return Ok(None);
    }
    match encr_by_number(number) {
        Some(row) => Ok(Some(row)),
        None => refuse(format!("encryption algorithm {} has no name in Linux", number.0)),
    }
}

fn check_ah(request: &Request, algorithms: Algorithms) -> Result<Algorithms, SadbError> {
    let Some(auth) = algorithms.auth else {
        return refuse("AH needs an authentication algorithm and its key: authalg, authkey".into());
    };
    if algorithms.encr.is_some() || request.encr_key.is_some() {
        return refuse("AH does not encrypt: leave out encralg and encrkey".into());
    }
    if request.natt_local.is_some() || request.natt_remote.is_some() {
        return refuse("AH cannot be encapsulated in UDP: leave out encap and nat_*".into());
    }
    // The kernel accepts an HMAC key of any length, even an empty one.
    check_auth_key(auth, request.auth_key.as_ref())?;
    Ok(algorithms)
}

fn check_esp(request: &Request, algorithms: Algorithms) -> Result<Algorithms, SadbError> {
    // The kernel requires a cipher for ESP ("AEAD or CRYPT must be provided"); without one it is the NULL cipher.
    let encr = algorithms.encr.or_else(|| encr_by_number(EncrAlg::NULL));
    let Some(cipher) = encr else { return Ok(algorithms) };
    if cipher.is_combined() && algorithms.auth.is_some() {
        return refuse(format!("{} authenticates by itself: leave out authalg and authkey", cipher.names[0]));
    }
    // The kernel accepts cipher_null without authentication.
    if cipher.number == EncrAlg::NULL && algorithms.auth.is_none() {
        return refuse(
            "ESP that neither encrypts nor authenticates protects nothing: specify encralg, authalg or both".into(),
        );
    }
    check_encr_key(cipher, request.encr_key.as_ref())?;
    match algorithms.auth {
        Some(auth) => check_auth_key(auth, request.auth_key.as_ref())?,
        None if request.auth_key.is_some() => return refuse("authkey without authalg".into()),
        None => {}
    }
    Ok(Algorithms { auth: algorithms.auth, encr })
}

/// Checks the ICV length. The kernel accepts any length, even 8 or 100 bits.
fn check_icv(request: &Request, auth: Option<&Auth>) -> Result<(), SadbError> {
    let Some(bits) = request.linux.icv_bits else { return Ok(()) };
    let Some(auth) = auth else {
        return refuse("icv without authalg: it is the length of the ICV of authalg".into());
    };
    let full = full_icv_bits(auth);
    if (MIN_ICV_BITS..=full).contains(&bits) && bits.is_multiple_of(8) {
        return Ok(());
    }
    refuse(format!("icv {bits}: {} requires a multiple of 8 from {MIN_ICV_BITS} to {full}", auth.names[0]))
}

/// The full length of the ICV in bits. For the supported algorithms it equals the key length.
fn full_icv_bits(auth: &Auth) -> u16 {
    match auth.key_bits {
        KeyBits::None => 0,
        KeyBits::Only(sizes) => sizes.iter().copied().max().unwrap_or(0),
        KeyBits::Range { max, .. } => max,
    }
}

fn check_auth_key(auth: &Auth, key: Option<&Key>) -> Result<(), SadbError> {
    let found = key.map_or(0, |key| u32::from(key.bits()));
    if auth.linux_key_bits().allows(found) {
        return Ok(());
    }
    let lengths = describe_lengths(auth.key_bits, 0);
    let taken = describe_taken(auth.key_bits, auth.linux_key_bits());
    refuse(format!("authkey has {found} bits, {} requires {lengths}{taken}", auth.names[0]))
}

fn check_encr_key(cipher: &Encr, key: Option<&Key>) -> Result<(), SadbError> {
    let found = key.map_or(0, bits_with_salt);
    let salt = u32::from(cipher.salt_bits);
    if !found.checked_sub(salt).is_some_and(|bits| cipher.linux_key_bits().allows(bits)) {
        let lengths = describe_lengths(cipher.key_bits, salt);
        let taken = describe_taken(cipher.key_bits, cipher.linux_key_bits());
        return refuse(format!("encrkey has {found} bits, {} requires {lengths}{taken}", cipher.names[0]));
    }
    match key {
        Some(key) if is_weak(cipher.number, key) => refuse(format!(
            "encrkey is one of the weak keys of {} (RFC 2405 section 2.1, RFC 2451 section 2.3): choose another",
            cipher.names[0]
        )),
        _ => Ok(()),
    }
}

/// Number of bits of key and salt. In a reply of illumos the salt is counted separately.
pub(crate) fn bits_with_salt(key: &Key) -> u32 {
    if key.reserved() == 0 { u32::from(key.bits()) } else { key.byte_len() as u32 * 8 }
}

/// The allowed key lengths as text.
fn describe_lengths(bits: KeyBits, salt: u32) -> String {
    let sizes: Vec<String> = match bits {
        KeyBits::None => return "no key".into(),
        KeyBits::Only(sizes) => sizes.iter().map(|size| (u32::from(*size) + salt).to_string()).collect(),
        KeyBits::Range { min, max, step } => {
            (min..=max).step_by(usize::from(step)).map(|size| (u32::from(size) + salt).to_string()).collect()
        }
    };
    let salt = if salt == 0 { String::new() } else { format!(", including {salt} bits of salt at the end") };
    format!("{}{salt}", sizes.join(" or "))
}

/// The lengths that Linux takes besides the usual ones, in parentheses.
fn describe_taken(usual: KeyBits, taken: KeyBits) -> String {
    match taken {
        KeyBits::Range { min, max, .. } if taken != usual => format!(" (Linux takes {min} to {max} bits)"),
        _ => String::new(),
    }
}

/// Refuses soft limits above hard ones: they would never expire.
fn check_lifetimes(soft: Option<Lifetime>, hard: Option<Lifetime>) -> Result<(), SadbError> {
    let (Some(soft), Some(hard)) = (soft, hard) else { return Ok(()) };
    let pairs = [
        ("bytes", soft.bytes, hard.bytes),
        ("addtime", soft.addtime, hard.addtime),
        ("usetime", soft.usetime, hard.usetime),
    ];
    for (word, soft, hard) in pairs {
        if hard != 0 && soft > hard {
            return refuse(format!("soft_{word} {soft} is more than hard_{word} {hard}"));
        }
    }
    Ok(())
}

fn check_packet_limits(request: &Request) -> Result<(), SadbError> {
    let (soft, hard) = (request.linux.soft_packets, request.linux.hard_packets);
    if hard != 0 && soft > hard {
        return refuse(format!("soft_packets {soft} is more than hard_packets {hard}"));
    }
    Ok(())
}

/// Whether `key` is a weak key of DES or Triple DES. The kernel accepts these.
fn is_weak(cipher: EncrAlg, key: &Key) -> bool {
    [EncrAlg::DES, EncrAlg::TRIPLE_DES].contains(&cipher) && weak_keys::of_des(key.expose()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sa::{Endpoint, Flags, InnerEndpoint, LinuxExtras, Spi};

    fn esp() -> Request {
        Request {
            sa_type: SaType::ESP,
            spi: Spi(0x100),
            state: SaState::MATURE,
            auth_alg: AuthAlg(5),
            encr_alg: EncrAlg(12),
            auth_key: Some(Key::from_slice(&[1; 32], 256, 0)),
            encr_key: Some(Key::from_slice(&[2; 16], 128, 0)),
            ..Request::default()
        }
    }

    fn refusal(request: &Request) -> String {
        check_add(request).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn check_add_accepts_a_valid_request() {
        assert_eq!(refusal(&esp()), "");
    }

    #[test]
    fn check_add_reports_key_lengths() {
        let short = Request { auth_key: Some(Key::from_slice(&[1; 2], 16, 0)), ..esp() };
        assert_eq!(refusal(&short), "authkey has 16 bits, hmac-sha256 requires 256 (Linux takes 80 to 1024 bits)");
        let missing = Request { auth_key: None, ..esp() };
        assert_eq!(refusal(&missing), "authkey has 0 bits, hmac-sha256 requires 256 (Linux takes 80 to 1024 bits)");
        let saltless = Request {
            auth_alg: AuthAlg::NONE,
            auth_key: None,
            encr_alg: EncrAlg(20),
            encr_key: Some(Key::from_slice(&[1; 16], 128, 0)),
            ..esp()
        };
        assert_eq!(
            refusal(&saltless),
            "encrkey has 128 bits, aes-gcm requires 160 or 224 or 288, including 32 bits of salt at the end"
        );
        let odd = Request { encr_key: Some(Key::from_slice(&[1; 16], 127, 0)), ..esp() };
        assert_eq!(refusal(&odd), "encrkey has 127 bits, aes-cbc requires 128 or 192 or 256");
    }

    #[test]
    fn check_add_takes_other_key_lengths() {
        let sha1 = |bytes: usize| Request {
            auth_alg: AuthAlg(3),
            auth_key: Some(Key::from_slice(&vec![1; bytes], bytes as u16 * 8, 0)),
            ..esp()
        };
        assert_eq!((refusal(&sha1(16)), refusal(&sha1(32))), (String::new(), String::new()));
        assert!(refusal(&sha1(9)).contains("72 bits"));
        let blowfish = |bytes: usize| Request {
            encr_alg: EncrAlg(7),
            encr_key: Some(Key::from_slice(&vec![1; bytes], bytes as u16 * 8, 0)),
            ..esp()
        };
        assert_eq!((refusal(&blowfish(20)), refusal(&blowfish(56))), (String::new(), String::new()));
        assert!(refusal(&blowfish(57)).contains("32 to 448"));
    }

    #[test]
    fn check_add_refuses_weak_keys() {
        let des = |bytes: &[u8]| Request { encr_alg: EncrAlg::DES, encr_key: Some(Key::from_slice(bytes, 64, 0)), ..esp() };
        assert!(refusal(&des(&[1; 8])).contains("weak"));
        assert!(refusal(&des(&[0x1f, 0x1f, 0x1f, 0x1f, 0x0e, 0x0e, 0x0e, 0x0e])).contains("weak"));
        assert_eq!(refusal(&des(&[2, 4, 6, 8, 10, 12, 14, 16])), "");
        let triple = |bytes: Vec<u8>| Request {
            encr_alg: EncrAlg::TRIPLE_DES,
            encr_key: Some(Key::from_slice(&bytes, 192, 0)),
            ..esp()
        };
        assert!(refusal(&triple(vec![0x12; 24])).contains("weak"));
        assert_eq!(refusal(&triple((0..24).map(|n| n * 2).collect())), "");
    }

    #[test]
    fn check_add_knows_rules_of_the_kernel() {
        let with = |linux: LinuxExtras| Request { linux: linux.into(), ..esp() };
        let esn = || LinuxExtras { flags: XfrmFlags::ESN, ..LinuxExtras::default() };
        assert!(refusal(&with(esn())).starts_with("esn without replay"));
        assert_eq!(refusal(&Request { replay: 32, ..with(esn()) }), "");
        assert_eq!(refusal(&Request { flags: Flags::OUTBOUND, ..with(esn()) }), "");
        let padded = LinuxExtras { tfcpad: 100, ..LinuxExtras::default() };
        assert!(refusal(&with(padded.clone())).contains("tunnel mode only"));
        assert_eq!(refusal(&with(LinuxExtras { mode: Some(XfrmMode::TUNNEL), ..padded })), "");
        let end = |addr: &str| Some(Endpoint { addr: addr.parse().unwrap(), port: 0, proto: 0 });
        let inner = |addr: &str| Some(InnerEndpoint { addr: addr.parse().unwrap(), prefix_len: 32, port: 0, proto: 0 });
        let transport = LinuxExtras { mode: Some(XfrmMode::TRANSPORT), ..LinuxExtras::default() };
        let of = |addr: &str| Request {
            dst: end("10.0.0.2"),
            inner_src: inner(addr).into(),
            inner_dst: inner(addr).into(),
            ..with(transport.clone())
        };
        assert_eq!(refusal(&of("10.1.0.1")), "");
        assert!(refusal(&of("fd00::1")).contains("family of dst"));
    }

    #[test]
    fn check_add_of_icv_lengths() {
        let icv = |bits| {
            let linux = LinuxExtras { icv_bits: Some(bits), ..LinuxExtras::default() };
            refusal(&Request { linux: linux.into(), ..esp() })
        };
        assert_eq!((icv(96), icv(256)), (String::new(), String::new()));
        assert_eq!(icv(8), "icv 8: hmac-sha256 requires a multiple of 8 from 80 to 256");
        assert!(icv(100).contains("multiple of 8") && icv(264).contains("to 256"));
        let linux = LinuxExtras { icv_bits: Some(96), ..LinuxExtras::default() };
        assert!(
            refusal(&Request { linux: linux.into(), auth_alg: AuthAlg::NONE, auth_key: None, ..esp() })
                .contains("without authalg")
        );
    }

    #[test]
    fn check_add_refuses_invalid_combinations() {
        assert!(refusal(&Request { spi: Spi(0), ..esp() }).contains("SPI 0"));
        assert!(refusal(&Request { state: SaState::DYING, ..esp() }).contains("mature"));
        assert!(refusal(&Request { sa_type: SaType(7), ..esp() }).contains("SA type 7"));
        assert!(refusal(&Request { sa_type: SaType::AH, ..esp() }).contains("does not encrypt"));
        assert!(refusal(&Request { encr_alg: EncrAlg(99), ..esp() }).contains("99"));
        let gcm = Request { encr_alg: EncrAlg(20), encr_key: Some(Key::from_slice(&[3; 20], 160, 0)), ..esp() };
        assert!(refusal(&gcm).contains("by itself"));
        let nothing = Request { auth_alg: AuthAlg::NONE, auth_key: None, encr_alg: EncrAlg::NULL, encr_key: None, ..esp() };
        assert!(refusal(&nothing).contains("protects nothing"));
        let limits = |soft, hard| Request {
            soft: Some(Lifetime { bytes: soft, ..Lifetime::default() }).into(),
            hard: Some(Lifetime { bytes: hard, ..Lifetime::default() }).into(),
            ..esp()
        };
        assert!(refusal(&limits(2, 1)).contains("soft_bytes 2"));
        assert_eq!(refusal(&limits(2, 0)), "");
        let packets = LinuxExtras { soft_packets: 9, hard_packets: 8, ..LinuxExtras::default() };
        assert!(refusal(&Request { linux: packets.into(), ..esp() }).contains("soft_packets 9"));
    }
}
