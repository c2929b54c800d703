//! The kplan binary: see `kplan --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A client process reads its orders from stdin; its arguments are only for the process list.
    if std::env::args().nth(1).is_some_and(|word| word == "client") {
        return kplan::client::hidden_main();
    }
    let _last = kplan::out::LastWords;
    kplan::cli::main().into()
}
