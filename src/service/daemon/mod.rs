//! `manual-key run`: the service as a process that stays. One thread works, and takes what it is asked for from one queue;
//! the others only wait: for signals, for `manual-key refresh`, and for lifetimes that run out. Of a keys file that is
//! applied nothing is kept.

mod address_watch;
pub(crate) mod control_socket;
mod expiry_watch;
mod idle;
mod sd_notify;
pub(crate) mod udp_ports;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::sa::SaId;
use crate::sadb::SadbError;
use crate::service::args::Args;
use crate::service::config::Config;
use crate::service::config::dirs;
use crate::service::config::supervisor::{Environment, World};
use crate::service::daemon::address_watch::Addresses;
use crate::service::daemon::control_socket::{Client, Verdict};
use crate::service::daemon::expiry_watch::{Sight, Watch};
use crate::service::daemon::idle::Idle;
use crate::service::daemon::sd_notify::State;
use crate::service::daemon::udp_ports::Ports;
use crate::service::exit::Reason;
use crate::service::load::Service;
use crate::service::load::pending::Waiting;
use crate::service::log::Log;
use crate::service::log::event::{Event, Expiry};
use crate::service::log::policy_event::PolicyEvent;
use crate::service::log::witness::Witness;
use crate::service::records::file_digest::Fingerprint;
use crate::service::records::owned_sas::Owned;
use crate::service::records::runtime_file;
use crate::service::status::state;
use crate::sys::net::listener::Listener;
use crate::sys::process::hardening;
use crate::sys::process::signals::{SignalRequest, Signals};

/// Without a watchdog there is nothing to wake up for.
const A_DAY: Duration = Duration::from_secs(86_400);

/// What the service is asked for, or hears.
enum Wish {
    /// Load the keys file again; a client may be waiting for the outcome.
    Refresh(Option<Client>),
    /// End.
    Stop,
    /// The SADB's news.
    Saw(Sight),
    /// The system's: addresses have changed.
    Moved(io::Result<()>),
    /// Nobody's: it is time to look for SAs that are not used.
    Look,
}

/// Runs until a signal ends it, or until it cannot do what it is asked for.
///
/// # Errors
/// Why it ended early; the log says more.
pub(crate) fn run(args: &Args, world: &World, environment: Environment<'_>, log: &mut dyn Log) -> Result<(), Reason> {
    let (wishes, asked) = channel();
    let listener = listen(&dirs::runtime(environment), &wishes).map_err(|error| {
        log.event(&Event::NoChannel(&error));
        Reason::Other
    })?;
    let reporter = Reporter { witness: Witness::new(log), pulse: Pulse::begin() };
    let mut resident = Resident {
        args,
        world,
        environment,
        reporter,
        wishes,
        config: None,
        watch: None,
        addresses: None,
        waiting: None,
        idle: Idle::new(),
        ports: Ports::default(),
    };
    let outcome = resident.serve(&asked);
    listener.remove_file();
    outcome
}

/// Starts the threads that wait for signals and for clients.
fn listen(directory: &Path, wishes: &Sender<Wish>) -> io::Result<Arc<Listener>> {
    let signals = Signals::block()?;
    runtime_file::make(directory)?;
    let listener = Arc::new(Listener::bind(&control_socket::path(directory))?);
    let queue = wishes.clone();
    spawn("signals", move || {
        while let Ok(asked) = signals.wait() {
            let wish = match asked {
                SignalRequest::Stop => Wish::Stop,
                SignalRequest::Refresh => Wish::Refresh(None),
            };
            if queue.send(wish).is_err() {
                return;
            }
        }
    })?;
    let (queue, clients) = (wishes.clone(), listener.clone());
    spawn("refresh", move || control_socket::serve(&clients, |client| queue.send(Wish::Refresh(Some(client))).is_ok()))?;
    Ok(listener)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

struct Resident<'a> {
    args: &'a Args,
    world: &'a World,
    environment: Environment<'a>,
    reporter: Reporter<'a>,
    wishes: Sender<Wish>,
    /// As of the last load.
    config: Option<Config>,
    watch: Option<Watch>,
    addresses: Option<Addresses>,
    /// SAs of the last load that wait for an address.
    waiting: Option<Waiting>,
    idle: Idle,
    ports: Ports,
}

impl Resident<'_> {
    fn serve(&mut self, asked: &Receiver<Wish>) -> Result<(), Reason> {
        sd_notify::tell(State::Starting, "loading the keys file");
        let loaded = self.load();
        self.settle(loaded)?;
        loop {
            match self.next(asked) {
                Wish::Refresh(client) => self.refresh(client.as_ref(), asked)?,
                Wish::Saw(sight) => self.see(sight)?,
                Wish::Moved(heard) => self.protect(heard)?,
                Wish::Look => self.look()?,
                Wish::Stop => return self.stop(),
            }
        }
    }

    /// The next wish; the watchdog is fed while there is none.
    fn next(&mut self, asked: &Receiver<Wish>) -> Wish {
        loop {
            self.reporter.pulse.beat();
            if self.idle.rest().is_zero() {
                return Wish::Look;
            }
            match asked.recv_timeout(self.reporter.pulse.rest().min(self.idle.rest())) {
                Ok(wish) => return wish,
                Err(RecvTimeoutError::Timeout) => {}
                // Impossible while this holds a sender itself; but if nobody could ask, ending would be right.
                Err(RecvTimeoutError::Disconnected) => return Wish::Stop,
            }
        }
    }

    /// Reads the configuration and the keys file, and watches the SADB that they are for.
    fn load(&mut self) -> Result<(), Reason> {
        let config = Config::load(&self.args.overrides, self.environment, self.world).map_err(|error| {
            self.reporter.event(&Event::NoConfig(&error));
            error.reason()
        })?;
        config.sadb.install_algorithms();
        let watched = self.watch(&config);
        let config = self.config.insert(config);
        watched?;
        let mut service = Service::new(config, self.world, &mut self.reporter).that_stays();
        let loaded = service.load(self.args.show);
        let (natt, waiting) = (service.natt, service.waiting);
        self.waiting = waiting;
        self.idle.hurry();
        if loaded.is_ok() {
            self.ports.follow(natt, config, &mut self.reporter);
        }
        hardening::wipe_stack();
        loaded
    }

    /// Watches the SADB, and the addresses of this system if they matter.
    fn watch(&mut self, config: &Config) -> Result<(), Reason> {
        if self.watch.as_ref().is_none_or(|watch| *watch.sadb() != config.sadb) {
            let wishes = self.wishes.clone();
            let watch = Watch::begin(&config.sadb, move |sight| drop(wishes.send(Wish::Saw(sight))));
            self.watch = Some(watch.map_err(|error| self.no_watch(&Event::NoChannel(&error)))?);
        }
        if !config.protection.from_sas {
            self.addresses = None;
        } else if self.addresses.is_none() {
            let wishes = self.wishes.clone();
            let addresses = Addresses::watch(move |heard| wishes.send(Wish::Moved(heard)).is_ok());
            self.addresses =
                Some(addresses.map_err(|error| self.no_watch(&Event::Policy(PolicyEvent::NoAddresses(&error))))?);
        }
        Ok(())
    }

    fn no_watch(&mut self, event: &Event<'_>) -> Reason {
        self.reporter.event(event);
        Reason::Other
    }

    /// Records how a load ended, and tells systemd; the text is the line of the log.
    fn settle(&self, loaded: Result<(), Reason>) -> Result<(), Reason> {
        self.record(false, loaded);
        let state = if loaded.is_ok() { State::Ready } else { State::Stopping };
        sd_notify::tell(state, &self.reporter.witness.last);
        loaded
    }

    fn record(&self, stopped: bool, outcome: Result<(), Reason>) {
        let me = Some(std::process::id());
        self.config.iter().for_each(|config| state::keep(config, &self.reporter.witness, stopped, outcome, me));
    }

    fn refresh(&mut self, client: Option<&Client>, asked: &Receiver<Wish>) -> Result<(), Reason> {
        sd_notify::tell(State::Reloading, "loading the keys file again");
        let loaded = self.load();
        let settled = self.settle(loaded);
        let code = settled.err().unwrap_or(Reason::Done).code(self.world);
        let verdict = Verdict { code, text: self.reporter.witness.last.clone() };
        client.into_iter().for_each(|client| client.answer(&verdict));
        if settled.is_err() {
            // Whoever waits for a refresh that will not come is told why.
            asked.try_iter().for_each(|wish| {
                if let Wish::Refresh(Some(client)) = wish {
                    client.answer(&verdict);
                }
            });
        }
        settled
    }

    fn see(&mut self, sight: Sight) -> Result<(), Reason> {
        match sight {
            Sight::Expired(expiry) if self.is_foreign(&expiry) => {}
            Sight::Expired(expiry) => self.reporter.event(&Event::Expired(&expiry)),
            Sight::Missed => self.reporter.event(&Event::Missed),
            Sight::Lost(error) => return self.lose(&error),
        }
        Ok(())
    }

    /// Gives the SAs their policies that have waited for an address, if it has come.
    fn protect(&mut self, heard: io::Result<()>) -> Result<(), Reason> {
        if let Err(error) = heard {
            self.reporter.event(&Event::Policy(PolicyEvent::NoAddresses(&error)));
            self.addresses = None;
        }
        let (Some(config), Some(waiting)) = (&self.config, self.waiting.take()) else { return Ok(()) };
        let mut service = Service::new(config, self.world, &mut self.reporter).that_stays();
        let protected = service.end_waiting(waiting);
        self.waiting = service.waiting;
        if protected.is_err() { self.settle(protected) } else { Ok(()) }
    }

    /// Ends the SAs that nobody uses, where the kernel does not.
    fn look(&mut self) -> Result<(), Reason> {
        let Some(config) = &self.config else { return Ok(()) };
        let owned = owned(config);
        let is_own = |id: &SaId| owned.as_ref().is_none_or(|owned| owned.names(*id));
        let ended = self.idle.look(&config.sadb, is_own);
        hardening::wipe_stack();
        match ended {
            Ok(ended) => ended.iter().for_each(|expiry| self.reporter.event(&Event::Expired(expiry))),
            Err(error) => return self.lose(&error),
        }
        Ok(())
    }

    fn lose(&mut self, error: &SadbError) -> Result<(), Reason> {
        self.reporter.event(&Event::NoSadb(error));
        self.settle(Err(Reason::NoSadb))
    }

    /// Whether an SA is somebody else's to care for. In doubt it is not.
    fn is_foreign(&self, expiry: &Expiry) -> bool {
        let owned = self.config.as_ref().and_then(owned);
        owned.is_some_and(|owned| !owned.knows(expiry.sa_type, expiry.spi, expiry.dst))
    }

    fn stop(&mut self) -> Result<(), Reason> {
        sd_notify::tell(State::Stopping, "flushing");
        let stopped = match &self.config {
            Some(config) => Service::new(config, self.world, &mut self.reporter).stop(),
            None => Ok(()),
        };
        self.record(true, stopped);
        stopped
    }
}

/// The record of the service's own SAs, if those of others are not its to care for.
fn owned(config: &Config) -> Option<Owned> {
    config.record.as_deref().and_then(|record| Owned::read(record).ok())
}

/// The service's log, which takes every command for a sign of life.
struct Reporter<'a> {
    witness: Witness<'a>,
    pulse: Pulse,
}

impl Log for Reporter<'_> {
    fn event(&mut self, event: &Event<'_>) {
        self.witness.event(event);
    }

    fn progress(&mut self) {
        self.pulse.beat();
    }

    fn has_read(&mut self, fingerprint: Fingerprint) {
        self.witness.has_read(fingerprint);
    }
}

/// Feeds systemd's watchdog, no more often than it needs.
struct Pulse {
    every: Duration,
    due: Instant,
}

impl Pulse {
    fn begin() -> Self {
        // Half the time that systemd waits, as sd_watchdog_enabled(3) advises.
        Self { every: sd_notify::patience().map_or(A_DAY, |patience| patience / 2), due: Instant::now() }
    }

    fn beat(&mut self) {
        let now = Instant::now();
        if now >= self.due {
            sd_notify::alive();
            self.due = now + self.every;
        }
    }

    fn rest(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }
}
