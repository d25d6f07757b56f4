//! syslog, as each system has it.

pub(super) use system::{streams_and_syslog, syslog};

/// Linux: a datagram to the socket of the journal or a syslogd.
#[cfg(target_os = "linux")]
mod system {
    use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

    use crate::service::config::supervisor::Supervisor;
    use crate::service::log::event::Event;
    use crate::service::log::{Log, Severity, Streams};

    struct Syslog<'a> {
        logger: Logger<LoggerBackend, Formatter3164>,
        streams: Streams<'a>,
    }

    impl Log for Syslog<'_> {
        fn event(&mut self, event: &Event) {
            let line = event.to_string();
            let sent = match event.severity() {
                Severity::Error => self.logger.err(line),
                Severity::Warning => self.logger.warning(line),
                Severity::Info => self.logger.info(line),
            };
            if sent.is_err() {
                self.streams.event(event);
            }
        }
    }

    /// syslog, or the streams where there is none.
    pub(in crate::service::log) fn syslog(streams: Streams<'_>) -> Box<dyn Log + '_> {
        let formatter = Formatter3164 {
            facility: Facility::LOG_AUTH,
            hostname: None,
            process: "manual-key".to_owned(),
            pid: std::process::id(),
        };
        match syslog::unix(formatter) {
            Ok(logger) => Box::new(Syslog { logger, streams }),
            Err(_) => Box::new(streams),
        }
    }

    /// The streams only: a terminal shows them, and there is no SMF on Linux.
    pub(in crate::service::log) fn streams_and_syslog<'a>(_: &Supervisor, streams: Streams<'a>) -> Box<dyn Log + 'a> {
        Box::new(streams)
    }
}

/// illumos: syslog(3C), since /dev/log is a STREAMS device there, not a socket.
#[cfg(not(target_os = "linux"))]
mod system {
    use nix::syslog::{Facility, Priority};

    use crate::service::config::supervisor::Supervisor;
    use crate::service::log::event::Event;
    use crate::service::log::{Log, Severity, Streams};

    struct StreamsAndSyslog<'a> {
        streams: Streams<'a>,
    }

    impl Log for StreamsAndSyslog<'_> {
        fn event(&mut self, event: &Event) {
            self.streams.event(event);
            let severity = match event.severity() {
                Severity::Error => nix::syslog::Severity::LOG_ERR,
                Severity::Warning => nix::syslog::Severity::LOG_WARNING,
                Severity::Info => return,
            };
            // openlog(3C) would keep a pointer to the name, so the name is part of the text.
            let line = format!("manual-key[{}]: {event}", std::process::id());
            let _ = nix::syslog::syslog(Priority::new(severity, Facility::LOG_AUTH), &line);
        }
    }

    /// Under SMF errors and warnings go to syslog too: few administrators read the log of an instance unprompted.
    pub(in crate::service::log) fn streams_and_syslog<'a>(
        supervisor: &Supervisor,
        streams: Streams<'a>,
    ) -> Box<dyn Log + 'a> {
        if supervisor.is_service() { Box::new(StreamsAndSyslog { streams }) } else { Box::new(streams) }
    }

    /// The streams: there is no systemd here.
    pub(in crate::service::log) fn syslog(streams: Streams<'_>) -> Box<dyn Log + '_> {
        Box::new(streams)
    }
}
