//! The numbers of nodes in a cluster that kplan starts.

/// The number of the first dedicated controller that `start_cluster` starts.
const FIRST_CONTROLLER: u32 = 101;

/// The number of the first broker, unless a plan says another.
pub const FIRST_BROKER: u32 = 1;

/// The numbers that `start_cluster` gives to this number of brokers.
pub fn broker_numbers(first: u32, count: u32) -> impl Iterator<Item = u32> + Clone {
    first..first.saturating_add(count)
}

/// The numbers that `start_cluster` gives to this number of dedicated controllers.
pub fn controller_numbers(count: u32) -> impl Iterator<Item = u32> + Clone {
    FIRST_CONTROLLER..FIRST_CONTROLLER.saturating_add(count)
}

/// True if this is the number of a dedicated controller in a cluster that `start_cluster` started.
pub fn is_controller(number: u32) -> bool {
    number >= FIRST_CONTROLLER
}
