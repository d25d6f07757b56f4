//! Keys of other programs. A text that cannot be the key itself is refused: a variable, a hidden key, a placeholder.

use super::statements::Token;
use super::writer::{CommandWriter, Untranslatable};

/// Writes a key. `allows`: whether the algorithm has keys of so many bits; called for keys in characters only, since any
/// text is one.
pub(super) fn write(
    writer: &mut CommandWriter,
    keyword: &str,
    key: Option<Token<'_>>,
    allows: &dyn Fn(u32) -> bool,
) -> Result<(), Untranslatable> {
    let key = key.ok_or_else(|| format!("the {keyword} is missing"))?;
    if let Some(reason) = hidden(key.text) {
        return Err(format!("the {keyword} {reason}"));
    }
    let digits = key.text.strip_prefix("0x").or_else(|| key.text.strip_prefix("0X")).filter(|_| !key.quoted);
    match digits {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            writer.hex_key(keyword, digits)
        }
        Some(_) => Err(format!("the {keyword} has other characters than hexadecimal digits after 0x")),
        None => characters(writer, keyword, key.text, allows),
    }
}

/// Why a text is not a key but stands for one.
fn hidden(text: &str) -> Option<&'static str> {
    match text {
        _ if text.starts_with("<<") => Some("is hidden: print the SAs without nokeys"),
        _ if text.starts_with("[hash:") => Some("is hidden behind its hash: print the SAs with `ip xfrm state`"),
        _ => None,
    }
}

fn characters(
    writer: &mut CommandWriter,
    keyword: &str,
    text: &str,
    allows: &dyn Fn(u32) -> bool,
) -> Result<(), Untranslatable> {
    let repeats = text.chars().all(|c| text.starts_with(c));
    let is_bracketed = text.contains(['<', '>', '{', '}', '`', '$', '*', '\u{2026}']);
    if text.is_empty() || repeats || is_bracketed {
        return Err(format!("the {keyword} is a placeholder: replace it by the key"));
    }
    let bits = u32::try_from(8 * text.len()).unwrap_or(u32::MAX);
    if !allows(bits) {
        return Err(format!(
            "the {keyword} is written in {} characters, which is no key length of the algorithm: replace it by the key, in \
             hexadecimal digits after 0x",
            text.chars().count()
        ));
    }
    writer.character_key(keyword, text)
}
