//! What `make install` puts on a machine: that the service's confinement lets the switch do all it does, and
//! nothing is left when it is taken away again. And what `make` needs itself.

mod confinement;
mod exercise;
mod install;
mod needs;
mod unit;
