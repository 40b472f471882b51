"""Asks a server everything that its OpenAPI document allows, and what it does not, and fails when it breaks.

usage: schema.py URL ...
Made with schemathesis: no answer may be a fault of the server, undocumented in status or type, or of another shape.
"""

import pathlib
import subprocess
import sys
import tempfile

CONFIG = """
[generation]
deterministic = true
"""


def main():
    url = sys.argv[1].rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "schemathesis.toml"
        config.write_text(CONFIG)
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config),
            "run", f"{url}/openapi.json", "--url", url, "--no-color", "--seed", "1", "--max-examples", "10",
            "--phases", "examples,coverage,fuzzing",
            "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode != 0 or "Failures:" in run.stdout or " generated" not in run.stdout:
        sys.exit(run.stdout + run.stderr)


main()
