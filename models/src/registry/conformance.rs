//! What every registry must do.
