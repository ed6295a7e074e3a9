"""How is a real nginx of a test started?"""

import os
from pathlib import Path

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx_command(folder: Path, http: str) -> list[str]:
    """The command of an nginx in the foreground that has ``http`` as its ``http`` block.

    ``folder`` takes its configuration and all that it writes: ``error.log`` says why it does not
    start. It may read what its user may read, root's files included.
    """
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    config = folder / "nginx.conf"
    config.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid;\nevents {{}}\n"
        f"http {{ {temporary} access_log off;\n{http}\n}}\n",
        "utf-8",
    )
    return ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
