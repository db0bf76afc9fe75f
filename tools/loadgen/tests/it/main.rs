//! loadgen as its users run it: the program, against real servers and against one whose faults are known.

mod broadcast;
mod command_line;
mod doors;
mod metrics;
mod peers;
mod planted;
mod program;
mod results;
mod second_driver;
mod truth;
mod wire;
