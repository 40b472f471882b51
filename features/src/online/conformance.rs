//! What every online store must do; each implementation's tests call [`run`].
