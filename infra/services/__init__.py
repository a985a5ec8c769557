"""The team's services on this machine, on loopback only: `make services`, `make services-status`, `make services-stop`.

Everything they keep lies in `.services/`, every setting and credential in `.env`. supervisord runs them and starts
again what dies; this package writes its configuration, starts one after the other, and looks whether they answer.
"""
