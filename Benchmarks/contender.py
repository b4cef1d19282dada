"""One configuration of one engine, its process, and what is known about it."""

import re

from process import Failed, Process


class Contender:
    def __init__(self, engine, configuration):
        self.engine, self.configuration = engine, configuration
        self.process = None
        self.points = []

    @property
    def label(self):
        return f"{self.engine} {self.configuration['name']}"

    def facts(self):
        return {"engine": self.engine, "configuration": self.configuration["name"],
                "parameters": self.configuration["build"]}

    def build(self, scratch, files, shape, options):
        """Starts the process and builds the index in it; Failed when it cannot. `files`: base, queries, columns."""
        process = Process(self.engine, scratch, "-" + re.sub(r"\W+", "_", self.configuration["name"]))
        try:
            process.ask("start", timeout=120)
            process.ask("load", shape=shape.__dict__, **files)
            answer = process.ask(
                "build", configuration=self.configuration, threads=options.threads, timeout=options.build_timeout)
            process.pin(options.core)
        except Failed:
            process.quit()
            raise
        self.process, self.build_seconds = process, answer["seconds"]

    def quit(self):
        if self.process:
            self.process.quit()
        self.process = None


def described(name, scratch, shape, **more):
    """-> version of an engine, and its configurations. Failed when its library is not there, or it cannot."""
    process = Process(name, scratch)
    try:
        version = process.ask("start", timeout=120)["version"]
        return version, process.ask("configurations", shape=shape.__dict__, **more)["configurations"]
    finally:
        process.quit()
