"""Runnable programs and claim files; `causalnet demo` reads `ioi.yaml` from here."""
