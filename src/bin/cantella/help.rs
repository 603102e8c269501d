//! The texts that are printed on request: help, versions, licence.

/// What `cantella --version` prints.
pub const VERSION: &str = concat!("cantella ", env!("CARGO_PKG_VERSION"), "\n");

/// What `cantella --help` prints; at most 80 columns wide.
pub const HELP: &str = "\
Usage: cantella [OPTIONS] [--] COMMAND [ARG]...
       cantella --init [OPTIONS] [--] COMMAND [ARG]...
       cantella --help | --version

Keeps workers running that all execute COMMAND. With --init: runs one COMMAND as
the init of a container.

Workers:
  -w, --workers N           how many, 1 to 1024 [5; 1 with --init]
      --restart WHEN        replace a worker that ended: always, on-failure,
                            never [always; never with --init]
      --min-uptime DUR      one that ends earlier counts as a failed start [1s]
      --backoff MIN..MAX    delay after failed starts in a row: MIN, doubled up
                            to MAX; 0 for none [100ms..30s]
      --give-up N/DUR       drain, exit 1 after more than N (0 to 1024) failed
                            starts within DUR [none]
      --max-age DUR         replace a worker at this age [none]
      --max-age-jitter PCT  draw each limit from the last PCT percent of it [10]

Stopping and pausing:
      --stop-signal SIG     ask a worker to end with this [TERM]
      --stop-timeout DUR    then send KILL; none waits for ever
                            [10s; 8s with --init]
      --kill-mode MODE      whom stop signal/KILL reach: worker (worker/worker),
                            mixed (worker/group), group (group/group) [mixed]
      --pause-signal SIG    passed on at a pause to workers that catch it [USR1]
      --resume-signal SIG   passed on at its end [USR2]

Set-up of each worker:
      --name NAME           rename: manager NAME-pm, workers' argv[0] NAME [not]
      --pool NAME           name of the pool in logs [workers]
      --detach, --no-detach
                            give it a session of its own [on; off with --init]
      --process-group, --no-process-group
                            give it a process group of its own [on]
      --priority DELTA      change its niceness by this [0]
      --close-fds, --keep-fds
                            close descriptors from 3 up, or keep them [close]
      --death-signal SIG    what it gets when the manager dies, or none [TERM]
      --stdin WHAT          null, inherit, or lifeline: end-of-file when the
                            manager is gone [null; inherit with --init]
      --chdir DIR           change to this directory, COMMAND being found
      --umask OCTAL         file mode mask, 0 to 777 [the manager's]
      --env NAME=VALUE      set a variable; repeatable, at most 64 names
      --clear-env           start from an empty environment [off]
      --user USER[:GROUP]   run as this user, with all its groups (at most 64)
      --no-new-privs        nothing it executes gains privileges [off]
      --rlimit NAME=SOFT[:HARD]
                            limit nofile, nproc, core, as, cpu, fsize, memlock,
                            stack or data: a number, 64K, 2G or unlimited
      --oom-score-adj N     make the kernel kill it sooner, -1000 to 1000

Log:
      --log TARGET          stderr, file:PATH, none, or inherit: workers keep
                            the manager's output [stderr; inherit with --init]
      --log-format FORMAT   plain, logfmt or json [plain]
      --log-level LEVEL     leave out what is below this: debug, info, notice,
                            warning, error, critical, alert, emergency
                            [info; warning with --log inherit]
      --stdout-level LEVEL  level of what workers write to stdout [info]
      --stderr-level LEVEL  level of what workers write to stderr [info]

Init:
      --init                forward signals, reap every orphan, drain what is
                            left, exit with COMMAND's code [off]
      --subreaper           reap orphans though not PID 1 [off; on with --init]
  -g, --forward-to WHOM     child or group; -g is --forward-to group [child]
      --map SIG=SIG2        forward SIG as SIG2; SIG=0 drops it
      --map-exit CODE=CODE2 exit with CODE2 instead of CODE
      --drain DUR           after COMMAND's end: TERM for what is left, KILL
                            after DUR; 0 leaves at once [the stop timeout]

  -h, --help                print this text
  -V, --version             print the version

Durations: 250ms, 10s, 1h30m, 2d; a bare number is seconds; none for no limit.
Signals: TERM, SIGTERM, 15, RTMIN+1, RTMAX-1, or none. --env, --map, --map-exit
and --rlimit may be repeated; of other options the last counts.

Limits: 1024 workers; 64 names for --env, 4096 variables in all; 64 groups of a
user, 1 MiB of /etc/passwd and /etc/group; 65536 bytes of arguments with --name.

Environment:
  CANTELLA_<OPTION>         stands for an option: CANTELLA_MAX_AGE=1h; a flag is
                            1 or 0, CANTELLA_CLOSE_FDS=0 is --keep-fds. The
                            command line wins; workers do not see them.
  Each worker finds CANTELLA_WORKER_SLOT (from 0), CANTELLA_WORKER_GENERATION
  (from 1), CANTELLA_WORKER_POOL and CANTELLA_MANAGER_PID.

Signals:
  TERM, INT                 shut down; a second one kills the workers
  QUIT                      kill the workers at once
  USR1, USR2                pause, resume
  HUP                       reopen the file of --log
  With --init every signal goes to COMMAND, HUP too.

Exit status:
  0     a shutdown that was asked for, and all workers ended by themselves
  1     gave up (--give-up)
  124   a shutdown that was asked for, and a worker had to be killed
  125   wrong usage, or the manager could not start
  126   COMMAND cannot be executed
  127   COMMAND was not found
  With --init COMMAND's code, 128+N for signal N. With --restart never, when all
  ended by themselves, the first such code that is not 0.

Examples:
  cantella -w 4 --max-age 1h -- ./worker --queue mail
  cantella --restart on-failure --give-up 5/1m --log file:worker.log ./worker
  cantella --init --map TERM=QUIT -- nginx -g 'daemon off;'

Called as tini, docker-init, dumb-init or catatonit it takes their options.
";

/// What `tini -h` prints.
pub const TINI: &str = "\
Usage: tini [OPTIONS] [--] PROGRAM [ARG]...

  -g          forward signals to the child's process group
  -s          be a subreaper: reap orphans though not PID 1
  -e CODE     exit with 0 where the child exits with CODE; repeatable
  -p SIGNAME  get this signal when the parent dies, such as SIGKILL
  -w          say which orphans are reaped
  -v          say more; up to -vvv
  -h          print this text
  -l          print the licence
  --version   print the version

Environment: TINI_SUBREAPER (-s), TINI_KILL_PROCESS_GROUP (-g), TINI_VERBOSITY.
";

/// What `tini --version` prints; docker reads its first three words.
pub const TINI_VERSION: &str = concat!("tini version 0.19.0 (cantella ", env!("CARGO_PKG_VERSION"), ")\n");

/// What `dumb-init -h` prints.
pub const DUMB_INIT: &str = "\
Usage: dumb-init [OPTIONS] [--] COMMAND [ARG]...

  -c, --single-child  signal the child only, and give it no session
  -r, --rewrite S:R   forward signal number S as R, or drop it with R 0;
                      repeatable
  -v, --verbose       say what happens
  -h, --help          print this text
  -V, --version       print the version

Environment: DUMB_INIT_SETSID=0 (-c), DUMB_INIT_DEBUG=1 (-v).
";

/// What `dumb-init -V` prints.
pub const DUMB_INIT_VERSION: &str = concat!("dumb-init v1.2.5 (cantella ", env!("CARGO_PKG_VERSION"), ")\n");

/// What `catatonit -h` prints.
pub const CATATONIT: &str = "\
Usage: catatonit [OPTIONS] [--] PROGRAM [ARG]...

  -g             forward signals to the child's process group
  -P             run nothing: reap, and wait for TERM or INT
  -h             print this text
  -L             print the licence
  -V, --version  print the version

Environment: CATATONIT_DEBUG (say what happens).
";

/// What `catatonit -V` prints; it calls itself tini there, for docker.
pub const CATATONIT_VERSION: &str =
    concat!("tini version 0.1.7_catatonit (cantella ", env!("CARGO_PKG_VERSION"), ")\n");

/// What asks for the licence print.
pub const LICENCE: &str = concat!(
    "cantella ",
    env!("CARGO_PKG_VERSION"),
    "\nLicensed under either of the Apache License, Version 2.0, or the MIT license, at\nyour option.\n",
);
