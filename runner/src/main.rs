//! The kplan binary: see `kplan --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A client process reads its orders from stdin; its arguments are only for the process list.
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == "client") && words.next().as_deref() == Some("--run")
    {
        return kplan::client::hidden_main();
    }
    let _last = kplan::out::LastWords;
    kplan::cli::main().into()
}
