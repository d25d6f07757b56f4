//! The prompt, driven through a pseudo-terminal: editing, Tab, continuation lines, Ctrl-C, Ctrl-D, and a history without keys.

mod support;

use support::terminal::{PROMPT, Terminal};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const CONTINUATION: &str = "        > ";
const UP: &str = "\x1b[A";

#[test]
fn tab_completes_and_the_command_runs() {
    let mut terminal = Terminal::start("xterm");
    let shown = terminal.line("du\t");
    assert!(shown.contains("Dump succeeded for SA type 0."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn tab_knows_the_sas_there_are() {
    let mut terminal = Terminal::start("xterm");
    terminal.line(&format!(
        "add esp spi 0x20b1 src 192.0.2.1 dst 192.0.2.2 encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY}"
    ));
    let shown = terminal.line("get esp spi \tdst \t");
    assert!(shown.contains("get esp spi 0x20b1 dst 192.0.2.2"), "{shown:?}");
    assert!(shown.contains("SADB_ASSOC spi=0x20b1"), "{shown:?}");
    terminal.line(&format!(
        "add esp spi 0x20c1 src 192.0.2.1 dst 192.0.2.3 encr_alg aes encrkey {KEY} auth_alg md5 authkey {KEY}"
    ));
    terminal.press("delete esp spi \t\t");
    let shown = terminal.until("0x20c1");
    assert!(shown.contains("0x20b1"), "{shown:?}");
    terminal.press("\x03");
    terminal.until(PROMPT);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_continued_line_is_one_command() {
    let mut terminal = Terminal::start("xterm");
    terminal.press("dump \\\r");
    terminal.until(CONTINUATION);
    // Tab knows the line before.
    let shown = terminal.line("e\t");
    assert!(shown.contains("Dump succeeded for SA type 3."), "{shown:?}");
    terminal.press("flush \\\r");
    terminal.until(CONTINUATION);
    terminal.press("\x03");
    terminal.until(PROMPT);
    let shown = terminal.line("dump ah");
    assert!(shown.contains("Dump succeeded for SA type 2."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn no_line_with_a_key_comes_back() {
    let mut terminal = Terminal::start("xterm");
    terminal.line("dump ah");
    terminal.line(&format!("add esp spi 0x1000 src 192.0.2.1 dst 192.0.2.2 encr_alg aes encrkey {KEY}"));
    terminal.line(&format!("ad esp spi 0x1001 dst 192.0.2.2 encr_alg aes encrkey {KEY}"));
    terminal.line(KEY);
    let shown = terminal.line(UP);
    assert!(!shown.contains(&KEY[..8]), "{shown:?}");
    assert!(shown.contains("Dump succeeded for SA type 2."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn an_error_shows_the_place_and_not_the_key() {
    let mut terminal = Terminal::start("xterm");
    terminal.press(&format!("add esp spi 0x1000 bogus encrkey {KEY}\r"));
    let shown = terminal.until("Unknown extension field");
    let after_typing = &shown[shown.rfind("error[").unwrap_or(0)..];
    assert!(!after_typing.contains(&KEY[..8]), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn control_c_drops_the_line_and_a_dumb_terminal_works() {
    let mut terminal = Terminal::start("xterm");
    terminal.press("flush bogus\x03");
    terminal.until(PROMPT);
    assert!(terminal.line("dump").contains("Dump succeeded"));
    assert_eq!(terminal.end(), 0);

    let mut dumb = Terminal::start("dumb");
    dumb.press("dump\n");
    dumb.until("Dump succeeded for SA type 0.");
    dumb.press("quit\n");
    assert_eq!(dumb.child.wait().unwrap().code(), Some(0));
}
#[test]
fn control_c_in_monitor_returns_to_the_prompt() {
    use nix::sys::signal::{Signal, kill};

    let mut terminal = Terminal::start("xterm");
    for _ in 0..2 {
        terminal.press("monitor\r");
        // The handler of the signal is installed before the heading is printed.
        terminal.until("monitoring the PF_KEY socket.");
        kill(nix::unistd::Pid::from_raw(terminal.child.id().cast_signed()), Signal::SIGINT).unwrap();
        terminal.until(PROMPT);
    }
    let shown = terminal.line("dump");
    assert!(shown.contains("Dump succeeded for SA type 0."), "{shown:?}");
    assert_eq!(terminal.end(), 0);
}
