"""The doors: command line, HTTP and pages, Slack, and the generated company they can be tried on."""
