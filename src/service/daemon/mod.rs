//! `manual-key run`: the service as a daemon. The main thread takes events from one queue; the other threads only wait, for
//! signals, refresh requests, expiries and changes of addresses. Nothing of a keys file is kept after a load.

mod address_watch;
mod change_watch;
pub(crate) mod control_socket;
mod expiry_watch;
mod idle;
mod idle_expiries;
mod key_changes;
mod repair;
mod repair_timer;
mod sadb_watch;
mod sd_notify;
mod thread;
pub(crate) mod udp_ports;
mod watchdog;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use crate::sa::SaId;
use crate::sadb::SadbError;
use crate::sadb::changes::Change;
use crate::service::args::Args;
use crate::service::config::supervisor::{Environment, Supervisor};
use crate::service::config::{Config, dirs};
use crate::service::exit::Reason;
use crate::service::load::Loader;
use crate::service::load::outcome::{Failure, LoadOutcome};
use crate::service::log::Log;
use crate::service::log::event::daemon::Expiry;
use crate::service::log::event::{self, Event as LogEvent};
use crate::service::records::owned_sas::OwnedSas;
use crate::service::records::runtime_file;
use crate::service::status::state;
use crate::sys::net::listener::Listener;
use crate::sys::process::hardening;
use crate::sys::process::signals::{SignalRequest, Signals};
use address_watch::AddressWatch;
use control_socket::{Client, Reply};
use expiry_watch::WatchEvent;
use idle::IdleTimer;
use key_changes::KeyTimer;
use repair_timer::RepairTimer;
use sadb_watch::SadbWatch;
use sd_notify::Readiness;
use thread::{StartError, spawn};
use udp_ports::BoundPorts;
use watchdog::{Watchdog, WatchdogLog};

/// What the daemon reacts to.
enum Event {
    /// Load the keys file again. A client waits for the reply, if the request came by the control socket.
    Refresh(Option<Client>),
    Stop,
    Sadb(WatchEvent),
    /// Another process has removed or replaced SAs or policies; an error ends the watch.
    Changed(Result<Change, SadbError>),
    /// Changes have been collected, and are to be repaired.
    RepairDue,
    /// Addresses of this system have changed; an error ends the watch.
    AddressesChanged(io::Result<()>),
    /// UDP ports that another program had are to be tried again.
    PortsDue,
    /// SAs with idle lifetimes are due for a poll.
    IdlePoll,
    /// The time of a key change is there, or the clock was set; an error ends the timer.
    KeysDue(io::Result<()>),
}

/// Runs until a signal stops it, or a load fails.
///
/// # Errors
/// The reason of the failure, which is logged.
pub(crate) fn run(
    args: &Args,
    supervisor: &Supervisor,
    environment: Environment<'_>,
    log: &mut dyn Log,
) -> Result<(), Reason> {
    let (sender, events) = channel();
    let listener = listen(&dirs::runtime(environment), &sender).map_err(|error| {
        log.event(&start_failed(&error));
        Reason::Other
    })?;
    let mut daemon = Daemon {
        args,
        supervisor,
        environment,
        log: WatchdogLog { log, watchdog: Watchdog::new() },
        sender,
        config: None,
        outcome: LoadOutcome::default(),
        expiry_watch: None,
        address_watch: None,
        change_watch: None,
        repair: RepairTimer::new(),
        idle: IdleTimer::new(),
        keys: KeyTimer::default(),
        ports: BoundPorts::default(),
    };
    let result = daemon.serve(&events);
    // Last: until then a second daemon is refused.
    listener.remove_file();
    result
}

/// Starts the threads that wait for signals and for clients.
fn listen(directory: &Path, sender: &Sender<Event>) -> Result<Arc<Listener>, StartError> {
    // Before any thread starts: threads inherit the signal mask, and one without it would be killed by SIGTERM.
    let signals = Signals::block().map_err(StartError::Signals)?;
    let bound = runtime_file::create_directory(directory).and_then(|()| Listener::bind(&control_socket::path(directory)));
    let listener = Arc::new(bound.map_err(|error| StartError::ControlSocket(directory.to_owned(), error))?);
    let queue = sender.clone();
    spawn("signals", move || {
        while let Ok(signal) = signals.wait() {
            let event = match signal {
                SignalRequest::Stop => Event::Stop,
                SignalRequest::Refresh => Event::Refresh(None),
            };
            if queue.send(event).is_err() {
                return;
            }
        }
    })?;
    let (queue, clients) = (sender.clone(), listener.clone());
    spawn("refresh", move || {
        control_socket::serve(&clients, |client| queue.send(Event::Refresh(Some(client))).is_ok());
    })?;
    Ok(listener)
}

fn start_failed(error: &StartError) -> LogEvent {
    match error {
        StartError::Thread(name, error) => event::daemon::no_thread(name, error),
        StartError::Signals(error) => event::daemon::no_signals(error),
        StartError::ControlSocket(directory, error) => event::daemon::no_control_socket(directory, error),
        StartError::Clock(error) => event::daemon::no_clock(error),
        StartError::Addresses(error) => event::policy::no_addresses(error),
    }
}

struct Daemon<'a> {
    args: &'a Args,
    supervisor: &'a Supervisor,
    environment: Environment<'a>,
    log: WatchdogLog<'a>,
    /// For the threads of the watches.
    sender: Sender<Event>,
    /// Read by the last load.
    config: Option<Config>,
    /// The outcome of the last load.
    outcome: LoadOutcome,
    expiry_watch: Option<SadbWatch>,
    address_watch: Option<AddressWatch>,
    change_watch: Option<SadbWatch>,
    repair: RepairTimer,
    idle: IdleTimer,
    keys: KeyTimer,
    ports: BoundPorts,
}

impl Daemon<'_> {
    fn serve(&mut self, events: &Receiver<Event>) -> Result<(), Reason> {
        sd_notify::status(Readiness::Starting, "loading the keys file");
        self.load()?;
        loop {
            match self.next_event(events) {
                Event::Refresh(client) => self.refresh(client.as_ref(), events)?,
                Event::Sadb(event) => self.handle_watch_event(event)?,
                Event::Changed(change) => self.handle_change(change)?,
                Event::RepairDue => self.repair_damage()?,
                Event::AddressesChanged(change) => self.handle_address_change(change)?,
                Event::PortsDue => self.retry_ports(),
                Event::IdlePoll => self.poll_idle_sas()?,
                Event::KeysDue(waited) => self.change_keys(waited)?,
                Event::Stop => return self.stop(),
            }
        }
    }

    /// Waits for the next event, and pings the watchdog meanwhile.
    fn next_event(&mut self, events: &Receiver<Event>) -> Event {
        loop {
            self.log.watchdog.ping();
            if self.idle.remaining().is_zero() {
                return Event::IdlePoll;
            }
            if self.repair.remaining().is_zero() {
                return Event::RepairDue;
            }
            if self.ports.remaining().is_zero() {
                return Event::PortsDue;
            }
            let next = self.idle.remaining().min(self.repair.remaining()).min(self.ports.remaining());
            match events.recv_timeout(self.log.watchdog.remaining().min(next)) {
                Ok(event) => return event,
                Err(RecvTimeoutError::Timeout) => {}
                // Impossible, since this struct has a sender; without one no signal would arrive any more.
                Err(RecvTimeoutError::Disconnected) => return Event::Stop,
            }
        }
    }

    /// Reads the configuration, loads the keys file, and reports the outcome.
    fn load(&mut self) -> Result<(), Reason> {
        let mut outcome = match self.configure() {
            Ok(config) => {
                let is_first = self.config.is_none();
                let config = self.config.insert(config);
                if is_first {
                    state::save(config, &LoadOutcome::starting(), Some(std::process::id()));
                }
                let mut loader = Loader::new(config, self.supervisor, &mut self.log).for_daemon();
                let mut outcome = loader.load(self.args.show);
                self.idle.reset();
                self.repair.reset();
                if outcome.failure.is_none() {
                    // Before readiness is reported: a unit that starts after this one may expect ESP in UDP to work.
                    self.ports.update(&outcome.encap_ports, config, &mut self.log);
                    outcome.held_ports = self.ports.held();
                }
                hardening::wipe_stack();
                outcome
            }
            Err(failure) => LoadOutcome::failed(failure),
        };
        // `manual-key status` compares the keys file with the loaded one: its name remains known after a failure.
        outcome.file = outcome.file.or(self.outcome.file.take());
        self.outcome = outcome;
        if let Err(error) = self.await_key_change() {
            let failure = self.fail(Reason::Other, &start_failed(&error));
            self.outcome.fail_after_load(failure);
        }
        self.report()
    }

    fn retry_ports(&mut self) {
        if self.ports.retry(&mut self.log) {
            self.outcome.held_ports = self.ports.held();
            self.save_state(&self.outcome);
        }
    }

    /// Reads the configuration and starts the watches that it needs.
    fn configure(&mut self) -> Result<Config, Failure> {
        let config = Config::load(&self.args.overrides, self.environment, self.supervisor)
            .map_err(|error| self.fail(error.reason(), &event::load::wrong_config(&error)))?;
        config.findings.iter().for_each(|finding| self.log.event(&event::load::unsafe_file(finding)));
        config.sadb.install_algorithms();
        let started = self.start_watches(&config);
        if let Err(error) = started {
            let failure = self.fail(Reason::Other, &start_failed(&error));
            // The state file of the new configuration has the failure.
            self.config = Some(config);
            return Err(failure);
        }
        Ok(config)
    }

    /// Watches the SADB, and with `policy = "from-sas"` the addresses of this system. Before the load, so that no expiry and no
    /// address is missed.
    fn start_watches(&mut self, config: &Config) -> Result<(), StartError> {
        // The watch of another SADB is replaced, and its thread ends by itself.
        let is_other = |watch: &Option<SadbWatch>| watch.as_ref().is_none_or(|watch| !watch.is_of(&config.sadb));
        if is_other(&self.expiry_watch) {
            let sender = self.sender.clone();
            let report = move |event| drop(sender.send(Event::Sadb(event)));
            self.expiry_watch = Some(expiry_watch::start(&config.sadb, report)?);
        }
        if is_other(&self.change_watch) {
            let sender = self.sender.clone();
            let report = move |change| drop(sender.send(Event::Changed(change)));
            self.change_watch = Some(change_watch::start(&config.sadb, report)?);
        }
        // The watch may be left from a load with policy = "from-sas".
        if !config.protection.from_sas {
            self.address_watch = None;
        } else if self.address_watch.is_none() {
            let sender = self.sender.clone();
            let report = move |change| sender.send(Event::AddressesChanged(change)).is_ok();
            self.address_watch = Some(AddressWatch::start(report)?);
        }
        Ok(())
    }

    fn fail(&mut self, reason: Reason, event: &LogEvent) -> Failure {
        self.log.event(event);
        Failure { reason, text: Some(event.to_string()) }
    }

    /// Writes the outcome to the state file, and sends it to systemd.
    fn report(&self) -> Result<(), Reason> {
        self.save_state(&self.outcome);
        let result = self.outcome.result();
        let readiness = if result.is_ok() { Readiness::Ready } else { Readiness::Stopping };
        sd_notify::status(readiness, &self.outcome.text);
        result
    }

    fn save_state(&self, outcome: &LoadOutcome) {
        self.config.iter().for_each(|config| state::save(config, outcome, Some(std::process::id())));
    }

    fn refresh(&mut self, client: Option<&Client>, events: &Receiver<Event>) -> Result<(), Reason> {
        sd_notify::status(Readiness::Reloading, "loading the keys file again");
        let result = self.load();
        let code = result.err().unwrap_or(Reason::Done).code(self.supervisor.exit_codes());
        let reply = Reply { code, text: self.outcome.text.clone() };
        client.into_iter().for_each(|client| client.reply(&reply));
        if result.is_err() {
            // The daemon exits: clients whose refresh is still in the queue get the reason.
            events.try_iter().for_each(|event| {
                if let Event::Refresh(Some(client)) = event {
                    client.reply(&reply);
                }
            });
        }
        result
    }

    fn handle_watch_event(&mut self, event: WatchEvent) -> Result<(), Reason> {
        match event {
            WatchEvent::Expired(expiry) if self.is_foreign(&expiry) => {}
            WatchEvent::Expired(expiry) => self.report_expiry(&expiry),
            WatchEvent::Missed => self.log.event(&event::daemon::missed_expiries()),
            WatchEvent::Lost(error) => return self.exit_without_sadb(&error),
        }
        Ok(())
    }

    fn report_expiry(&mut self, expiry: &Expiry) {
        self.outcome.loaded.ids_of(expiry).for_each(|id| self.repair.note_expiry(id));
        self.log.event(&event::daemon::expired(expiry));
    }

    /// Installs policies that wait for an address, if it has appeared.
    fn handle_address_change(&mut self, change: io::Result<()>) -> Result<(), Reason> {
        if let Err(error) = change {
            self.log.event(&event::policy::no_addresses(&error));
            self.address_watch = None;
        }
        let Some(config) = &self.config else { return Ok(()) };
        let mut loader = Loader::new(config, self.supervisor, &mut self.log).for_daemon();
        match loader.install_pending(&mut self.outcome) {
            Ok(false) => Ok(()),
            Ok(true) => self.report(),
            Err(failure) => {
                self.outcome.fail_after_load(failure);
                self.report()
            }
        }
    }

    /// Removes the SAs that have reached their idle lifetime.
    fn poll_idle_sas(&mut self) -> Result<(), Reason> {
        let Some(config) = &self.config else { return Ok(()) };
        // Read each time: a load by hand may have changed the record.
        let owned = owned_sas(config);
        let is_own = |id: &SaId| owned.as_ref().is_none_or(|owned| owned.contains(*id));
        let removed = self.idle.poll(&config.sadb, is_own);
        // The dump has put the keys of these SAs on the stack.
        hardening::wipe_stack();
        match removed {
            Ok(removed) => removed.iter().for_each(|expiry| self.report_expiry(expiry)),
            Err(error) => return self.exit_without_sadb(&error),
        }
        Ok(())
    }

    fn exit_without_sadb(&mut self, error: &SadbError) -> Result<(), Reason> {
        let failure = self.fail(Reason::NoSadb, &event::load::sadb_failed(error));
        self.outcome.fail_after_load(failure);
        self.report()
    }

    /// Whether another program added the SA. If the record cannot be read, the expiry is logged.
    fn is_foreign(&self, expiry: &Expiry) -> bool {
        let owned = self.config.as_ref().and_then(owned_sas);
        owned.is_some_and(|owned| !owned.contains_with_any_mark(expiry.sa_type, expiry.spi, expiry.dst))
    }

    fn stop(&mut self) -> Result<(), Reason> {
        sd_notify::status(Readiness::Stopping, "flushing");
        let Some(config) = &self.config else { return Ok(()) };
        let mut outcome = Loader::new(config, self.supervisor, &mut self.log).stop();
        outcome.file = self.outcome.file.take();
        self.save_state(&outcome);
        sd_notify::status(Readiness::Stopping, &outcome.text);
        outcome.result()
    }
}

/// The record of the service's SAs; `None` with `flush = "all"`, when all SAs are the service's, or if it cannot be read.
fn owned_sas(config: &Config) -> Option<OwnedSas> {
    config.record.as_deref().and_then(|record| OwnedSas::read(record).ok())
}
