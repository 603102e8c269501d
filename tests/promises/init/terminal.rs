//! The terminal: the child has it when its init had it, and the shell gets it back.

use std::time::Duration;

use super::screen::{CONTROL_C, CONTROL_D, CONTROL_Z, Screen};
use crate::common::signals::{KILL, STOP, TERM, TTIN, TTOU, send};
use crate::common::{Pid, eventually, holds_for, proc, worker};

/// tini and catatonit wedge the terminal.
#[test]
fn control_z_gives_the_shell_its_prompt_and_fg_continues_both() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init cat");
    screen.enter("one");
    screen.see("one\n");
    for _ in 0..3 {
        screen.press(CONTROL_Z);
        screen.see("Stopped");
        screen.see("<148> ");
        screen.enter("echo shell$((1+1))");
        screen.see("shell2");
        screen.see("<0> ");
        screen.enter("fg");
        screen.see("cat\n");
        screen.enter("two");
        screen.see("two\n");
    }
    screen.press(CONTROL_D);
    screen.see("<0> ");
    screen.enter("echo after$((1+1))");
    screen.see("after2");
}

#[test]
fn after_bg_the_child_runs_on_and_fg_gives_it_the_terminal() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init sh -c 'while [ ! -e /tmp/none ]; do sleep 0.1; [ $((n += 1)) -lt 30 ] || break; done; echo ran; exec cat'");
    std::thread::sleep(Duration::from_millis(300));
    screen.press(CONTROL_Z);
    screen.see("<148> ");
    screen.enter("bg");
    screen.see("ran");
    // It reads, which it may not in the background.
    screen.enter("wait %1; jobs");
    screen.see("Stopped");
    screen.enter("fg");
    screen.enter("mine");
    screen.see("mine\n");
    screen.press(CONTROL_D);
    screen.see("<0> ");
}

/// The shell loses the terminal and exits.
#[test]
fn in_the_background_it_takes_nothing() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init sleep 1000 &");
    screen.see("<0> ");
    screen.enter("echo shell$((1+1))");
    screen.see("shell2");
    screen.enter("$INIT --init true & wait $!; echo end$?");
    screen.see("end0");
    screen.enter("kill %1; wait %1; echo end$?");
    screen.see("end143");
    screen.enter("read x; echo got-$x");
    screen.enter("line");
    screen.see("got-line");
}

#[test]
fn a_child_that_reads_in_the_background_stops_as_a_job_and_fg_gives_it_the_terminal() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init cat &");
    screen.see("<0> ");
    screen.enter("wait %1; jobs");
    screen.see("Stopped");
    screen.see("> ");
    screen.enter("fg");
    screen.see("cat\n");
    screen.enter("mine");
    screen.see("mine\n");
    screen.press(CONTROL_C);
    screen.see("<130> ");
}

/// A shell sends no CONT to a job that was not stopped.
#[test]
fn a_running_job_that_is_brought_to_the_foreground_can_read() {
    let mut screen = Screen::new();
    // Not before the foreground (the eighth field) is its init's (the fifth): who reads earlier is stopped. An init that
    // starts after fg has passed it on already.
    let until = "until set -- $(cat /proc/$PPID/stat); [ $5 = $8 ] || [ $$ = $8 ]; do sleep 0.05; done";
    screen.enter(&format!("$INIT --init sh -c '{until}; exec cat' &"));
    screen.see("<0> ");
    screen.enter("fg");
    screen.see("exec cat'\n");
    screen.enter("mine");
    screen.see("mine\n");
    screen.press(CONTROL_D);
    screen.see("<0> ");
}

/// Elsewhere `read` gets an end of file.
#[test]
fn a_script_keeps_its_terminal() {
    let mut screen = Screen::new();
    screen.enter("sh -c '$INIT --init true; read x; echo got-$x'");
    screen.enter("line");
    screen.see("got-line");
    screen.see("<0> ");
}

#[test]
fn in_a_script_the_child_can_read_and_the_script_after_it() {
    let mut screen = Screen::new();
    screen.enter("sh -c '$INIT --init sh -c \"read x; echo child-\\$x\"; read y; echo script-$y'");
    screen.enter("one");
    screen.see("child-one");
    screen.enter("two");
    screen.see("script-two");
    screen.see("<0> ");
}

#[test]
fn in_a_pipeline_the_pager_keeps_the_terminal() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init seq 3 | sh -c 'cat; read x </dev/tty; echo pager-$x'");
    screen.see("1\n2\n3\n");
    screen.enter("key");
    screen.see("pager-key");
    screen.see("<0> ");
    screen.enter("$INIT --init seq 100000 | sh -c 'head -n 1; read x </dev/tty; echo pager-$x'");
    screen.see("1\n");
    screen.enter("key");
    screen.see("pager-key");
}

#[test]
fn it_starts_while_another_program_waits_for_the_keyboard() {
    let mut screen = Screen::new();
    screen.enter("cat | sh -c 'sleep 0.3; exec $INIT --init sh -c \"echo started; cat\"'");
    screen.see("started\n");
    screen.enter("mine");
    screen.see("mine\n");
    screen.press(CONTROL_D);
    screen.see("<0> ");
}

/// With dumb-init -c each arrives twice.
#[test]
fn a_key_and_a_resize_reach_the_child_once() {
    for options in [
        "$INIT --init",
        "$INIT --init -g",
        "$INIT --init --no-process-group",
        "exec -a dumb-init $INIT -c",
        "exec -a tini $INIT",
        "exec -a catatonit $INIT -g",
    ] {
        let mut screen = Screen::new();
        screen.enter(&format!("({options} -- {} catch 2 28 15)", worker()));
        screen.see("ready");
        for _ in 0..3 {
            screen.press(CONTROL_C);
            screen.see("got 2\n");
        }
        for columns in [100, 110, 120] {
            screen.resize(30, columns);
            screen.see("got 28\n");
        }
        std::thread::sleep(Duration::from_millis(200));
        let all = screen.all();
        assert_eq!((all.matches("got 2\n").count(), all.matches("got 28\n").count()), (3, 3), "{options}: {all}");
    }
}

/// The init on a screen, by the name of its child.
fn init_of(name: &str, screen: &Screen) -> (Pid, Pid) {
    eventually("the child", || {
        let child = screen.processes().into_iter().find(|&pid| proc::name(pid) == name)?;
        Some((proc::stat(child)?.parent, child))
    })
}

#[test]
fn on_a_terminal_a_child_that_is_held_stops_the_job() {
    let mut screen = Screen::new();
    screen.enter("$INIT --init sleep 1000");
    let (_, child) = init_of("sleep", &screen);
    send(child, STOP);
    screen.see("Stopped");
    screen.see("<148> ");
    screen.enter("fg");
    screen.see("sleep 1000\n");
    screen.press(CONTROL_C);
    screen.see("<130> ");
}

#[test]
fn ttin_and_ttou_that_reach_the_init_are_forwarded_and_never_stop_it() {
    let mut screen = Screen::new();
    screen.enter(&format!("$INIT --init {} catch 21 22 15 &", worker()));
    screen.see("ready");
    let (init, _) = init_of("worker", &screen);
    for (signal, line) in [(TTIN, "got 21"), (TTOU, "got 22"), (TTIN, "got 21")] {
        send(init, signal);
        screen.see(line);
    }
    holds_for(Duration::from_millis(200), "an init that goes on", || proc::stat(init).is_some_and(|s| s.state != 'T'));
    send(init, TERM);
    screen.see("got 15");
}

#[test]
fn the_terminal_comes_back_from_a_child_that_was_killed() {
    let mut screen = Screen::new();
    screen.enter("sh -c '$INIT --init sleep 1000; read x; echo got-$x'");
    let (_, child) = init_of("sleep", &screen);
    send(child, KILL);
    screen.enter("line");
    screen.see("got-line");
}

/// dumb-init gives its child a session of its own, and the terminal with it.
#[test]
fn as_dumb_init_the_childs_session_gets_the_terminal() {
    let mut screen = Screen::new();
    screen.enter("exec -a dumb-init $INIT sh -c 'read x </dev/tty; echo got-$x; exec sleep 1000'");
    screen.enter("line");
    screen.see("got-line");
    let (init, child) = init_of("sleep", &screen);
    assert_eq!(proc::stat(child).unwrap().session, proc::stat(child).unwrap().group);
    send(init, TERM);
    eventually("the end", || (!proc::is_alive(child)).then_some(()));
}

/// There both the init's group and the shell's are outside, and cannot be told apart by number.
#[test]
fn as_pid_1_of_a_namespace_on_a_terminal_the_child_can_read() {
    let mut screen = Screen::new();
    screen.enter("unshare --pid --fork --mount-proc $INIT --init cat");
    screen.enter("mine");
    screen.see("mine\n");
    screen.press(CONTROL_C);
    screen.see("<130> ");
    screen.enter("echo shell$((1+1))");
    screen.see("shell2");
}

/// Nobody can stop a PID 1, and its child must not ask for the terminal for ever.
#[test]
fn as_pid_1_in_the_background_a_child_that_reads_waits_quietly() {
    let mut screen = Screen::new();
    screen.enter("unshare --pid --fork --mount-proc --kill-child $INIT --init cat &");
    screen.see("<0> ");
    let (init, child) = init_of("cat", &screen);
    eventually("a child that waits", || (proc::stat(child)?.state == 'T').then_some(()));
    let switches = proc::context_switches(init);
    screen.enter("echo shell$((1+1))");
    screen.see("shell2");
    holds_for(Duration::from_millis(500), "quiet", || proc::context_switches(init) <= switches + 1);
    screen.enter("fg");
    screen.see("cat\n");
    screen.press(CONTROL_C);
    screen.see("<130> ");
}
