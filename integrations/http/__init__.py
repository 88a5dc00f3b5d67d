"""The HTTP door: one small file per noun, chat, metrics, changes, sign-in and health."""
