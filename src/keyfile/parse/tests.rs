use super::*;
use crate::keyfile::diagnostics::Code;
use crate::keyfile::testing::{KEYS, codes, diagnostics, items};
use crate::sa::Spi;

fn message(text: &str) -> String {
    diagnostics(text).remove(0).message
}

#[test]
fn commands_without_keywords() {
    let read = |text: &str| items(text, Setting::Prompt, true).remove(0).outcome.ok();
    assert!(matches!(read("flush"), Some(Command::Flush(SaType::UNSPEC))));
    assert!(matches!(read("flush AH"), Some(Command::Flush(SaType::AH))));
    assert!(matches!(read("dump 255"), Some(Command::Dump(SaType(255)))));
    assert!(matches!(read("save all"), Some(Command::Save(SaType::UNSPEC, None))));
    assert!(matches!(read("monitor"), Some(Command::Monitor)));
    assert!(matches!(read("pmonitor"), Some(Command::PassiveMonitor)));
    assert!(matches!(read("? add more"), Some(Command::Help(Some(topic))) if topic == "add"));
    assert!(matches!(read("exit"), Some(Command::Quit)));
    for bad in ["flush esp now", "quit now", "save esp a b", "save", "flush epp", "flush 256", "dump -1", "monitor all"] {
        assert!(read(bad).is_none(), "{bad}");
    }
}

#[test]
fn commands_are_limited_to_their_setting() {
    for word in ["dump", "save all", "monitor", "passive_monitor", "help", "?"] {
        assert_eq!(codes(word), [Code::NotAllowedHere], "{word}");
    }
    for word in ["add", "update esp", "update-pair foo"] {
        let item = items(word, Setting::Shell, true).remove(0);
        assert!(item.outcome.is_err() && item.diagnostics[0].code == Code::NotAllowedHere, "{word}");
    }
    assert!(items("delete esp spi 1", Setting::Shell, true)[0].outcome.is_ok());
}

#[test]
fn all_errors_of_a_command_are_reported_in_order() {
    let text = format!("add esp spi abc src 10.0.0.300 bogus 5 spi 6 state gone dst 10.0.0.2 {KEYS} hard_bytes\n");
    let found = diagnostics(&text);
    let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
    let expected = [
        Code::NotANumber,
        Code::UnknownAddress,
        Code::UnknownKeyword,
        Code::DuplicateKeyword,
        Code::UnknownState,
        Code::UnexpectedEnd,
    ];
    assert_eq!(codes, expected);
    assert!(found.is_sorted_by_key(|diagnostic| diagnostic.span.column));
}

#[test]
fn a_missing_value_does_not_consume_the_next_keyword() {
    assert_eq!(codes(&format!("add esp spi dst 10.0.0.2 {KEYS}")), [Code::MissingArgument]);
    assert_eq!(codes("get spi 5 dst 10.0.0.2"), [Code::UnknownSaType]);
}

#[test]
fn messages_have_the_wording_of_illumos() {
    for (text, expected) in [
        ("add esp spi", "Unexpected end of command line after spi"),
        ("bogus esp", "Unknown command \"XXXXX\""),
        ("get esp spi 5 bogus", "Unknown extension field \"XXXXX\""),
        ("get esp spi 5 spi 6", "Can only specify single SPI value"),
        ("get esp spi 5 authalg md5", "Don't use extension authalg for get"),
        ("add esp spi 5 flags 1", "Don't use extension flags for add"),
        ("0123456789abcdef", "Unknown command \"XXXXXXXXXXXXXXXX\""),
    ] {
        let found = diagnostics(text);
        assert!(found.iter().any(|diagnostic| diagnostic.message == expected), "{text}: {found:?}");
    }
    assert_eq!(
        message("add esp authkey ab cd"),
        "Missing for this add: the SPI value, the destination address, at least one algorithm"
    );
}

#[test]
fn help_suggests_a_correction() {
    let help = |text: &str| diagnostics(text).remove(0).help.unwrap_or_default();
    assert_eq!(help("ad esp"), "did you mean \"add\"?");
    assert_eq!(help("get esp spy 5 spi 6"), "did you mean \"spi\"?");
    assert!(help("\u{feff}flush").contains("byte order mark"));
    assert!(help("f\0l\0u\0s\0h\0").contains("UTF-16"));
    assert!(help("src 10.0.0.1").contains("backslash"));
    assert!(help("get esp spi 5 # mine").contains("comment"));
    assert!(help("get esp spi 5 \\\r\n").contains("carriage return"));
}

#[test]
fn diagnostics_of_a_command_are_limited() {
    let text = "get esp ".to_owned() + &"bogus \"\" spi 1 ".repeat(20_000);
    assert_eq!(codes(&text).len(), report::MAX_DIAGNOSTICS);
    assert!(items(&text, Setting::File, true)[0].outcome.is_err());
}

#[test]
fn directions_may_be_repeated() {
    let item = items("get esp spi 5 inbound inbound outbound", Setting::File, true).remove(0);
    let Ok(Command::Sa(command)) = item.outcome else { panic!("{:?}", item.diagnostics) };
    assert_eq!((command.request.spi, command.request.flags.0), (Spi(5), 0xc000));
}

#[test]
fn quotes_that_lose_text_are_reported() {
    assert_eq!(codes(&format!("add esp spi 256 dst 10.0.0.2 {KEYS} srcidtype fqdn \"ab\"cd")), [Code::BadQuotes]);
    assert_eq!(codes("flush \"\""), [Code::BadQuotes]);
    assert!(items("flush \"\"", Setting::File, true)[0].outcome.is_err());
    assert!(items("\"", Setting::File, true).is_empty());
}
