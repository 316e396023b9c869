"""Build the image for real and run it as `compose.yml` says: `make image-test`, as root, on Debian or Ubuntu.

podman runs it read-only, without capabilities, as its own user, and without any network, so that it cannot load
anything while it runs.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from image_build import IMAGE, ROOT, Engine, ImageError, build, host_mounts, install_tools, run, say

LARGEST_BYTES = 600_000_000
LISTED_BYTES = 5_000_000
UNWANTED = ("torch", "pip", "setuptools", "pytest", "librosa", "matplotlib")
MAY_WRITE = "/data /dev/shm /tmp"
MAY_NOT_WRITE = "/ /etc /home /opt/demix /run /usr/bin /var/tmp"
UID = "10001"
HEALTHY_SECONDS = 60
STOP_SECONDS = 10  # after which Docker kills
NAME = "demix-image-test"
INSIDE = "DEMIX_IMAGE_TEST_INSIDE"
HYBRID = "/sys/fs/cgroup/unified"


def main() -> int:
    """Build, look, run."""
    install_tools()
    if INSIDE not in os.environ:  # mounts of our own, which end with us
        again = ["unshare", "--mount", "--propagation=private", sys.executable, *sys.argv]
        return subprocess.run(again, env=os.environ | {INSIDE: "1"}).returncode
    if os.path.ismount(HYBRID):  # crun refuses a machine with both kinds of cgroups, even when it is to use none
        run("umount", HYBRID)
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as folder:
        engine = Engine()
        mounts = host_mounts(Path(folder))
        build(engine, mounts)
        look(engine, mounts)
        serve(engine, Path(folder))
    say("image-test: all is as it has to be")
    return 0


def check(holds: object, sentence: str) -> None:
    """Say what was found; end when it must not be."""
    if not holds:
        raise ImageError(sentence)
    say(f"  ok: {sentence}")


def look(engine: Engine, mounts: list[str]) -> None:
    """Look at the image's files: their size, and what must not be among them."""
    container = engine.buildah("from", "--pull-never", IMAGE).strip()
    try:
        root = Path(engine.buildah("mount", container).strip())
        sizes = {path: path.lstat().st_size for path in root.rglob("*") if path.is_symlink() or path.is_file()}
        packages = next((root / "opt/demix/lib").glob("python3*/site-packages"))
        for path in [root, root / "opt/demix", *sorted(packages.iterdir())]:
            size = sum(each for file, each in sizes.items() if file.is_relative_to(path))
            if size > LISTED_BYTES:
                say(f"  {size / 1e6:6.1f} MB  /{path.relative_to(root)}")
        total = sum(sizes.values())
        check(total < LARGEST_BYTES, f"uncompressed {total / 1e6:.0f} MB, less than {LARGEST_BYTES / 1e6:.0f}")
        there = [name for name in UNWANTED if (packages / name).exists()]
        check(not there, f"without {', '.join(UNWANTED)}" + f", but found {there}" * bool(there))
        targets = (mount.split(":")[1] for mount in mounts)
        left = [target for target in targets if (root / target[1:]).exists() and not target.startswith("/etc/ssl/")]
        check(not left, "nothing of this machine's pip is left in it" + f", but found {left}" * bool(left))
    finally:
        engine.buildah("rm", container)


def serve(engine: Engine, folder: Path) -> None:
    """Run the image's server, use it, stop it while it works, and start it again."""
    say("running it, without network")
    engine.podman("run", "--detach", f"--name={NAME}", f"--volume={NAME}:/data", *bounds(), IMAGE)
    try:
        check_health(engine)
        check_locked(engine)
        check_libraries(engine)
        client(engine, "separate", folder)
        client(engine, "begin", folder)
        stop(engine)
        engine.podman("start", NAME)
        client(engine, "finish", folder)
        stop(engine)
    except ImageError:
        engine.show_logs(NAME)
        raise
    finally:
        engine.podman("rm", "--force", "--time=0", NAME)
        engine.podman("volume", "rm", "--force", NAME)


def bounds() -> list[str]:
    """Return the bounds of `compose.yml` as podman's options; memory and processes are left out, they need cgroups."""
    service = yaml.safe_load((ROOT / "docker/compose.yml").read_text(encoding="utf-8"))["services"]["demix"]
    options = ["--network=none", "--cgroups=disabled", "--no-healthcheck"]
    options += [
        f"--ulimit={name}=1024:1024" for name in ("nofile", "nproc")
    ]  # podman's own are more than a sandbox lets
    options += [f"--tmpfs={each}" for each in service["tmpfs"]]
    options += [f"--cap-drop={each}" for each in service["cap_drop"]]
    options += [f"--security-opt={each.removesuffix(':true')}" for each in service["security_opt"]]
    options += ["--read-only", "--read-only-tmpfs=false"] * service["read_only"]
    options += ["--init", f"--init-path={shutil.which('catatonit')}"] * service["init"]
    return options


def check_health(engine: Engine) -> None:
    """Run the image's health check until it holds."""
    kind, *command = json.loads(engine.podman("image", "inspect", IMAGE))[0]["Healthcheck"]["Test"]
    check(kind == "CMD", "the image has a health check that needs no shell")
    started = time.monotonic()
    while True:
        try:
            engine.podman("exec", NAME, *command)
        except ImageError:
            if time.monotonic() - started > HEALTHY_SECONDS:
                raise
            time.sleep(0.5)
        else:
            return check(True, f"healthy after {time.monotonic() - started:.1f} s")


def check_locked(engine: Engine) -> None:
    """Check who runs, and try to write everywhere: as that user, and as root."""
    script = "id -u; id -g; grep -hE 'CapEff|CapBnd|NoNewPrivs' /proc/self/status"
    who = " ".join(shell(engine, script).split())
    none = "0" * 16
    check(who == f"{UID} {UID} CapEff: {none} CapBnd: {none} NoNewPrivs: 1", f"it runs as {who}")
    places = f"find / -xdev -type d ! -path '/proc*' ! -path '/sys*'; printf '%s\\n' {MAY_WRITE}"
    script = f"for d in $({places}); do touch $d/x 2>/dev/null && rm $d/x && echo $d; done; true"
    written = " ".join(sorted(set(shell(engine, script).split())))
    check(written == MAY_WRITE, f"can write to {written}")
    script = f"for d in {MAY_NOT_WRITE}; do touch $d/x 2>&1; done; true"
    refusals = shell(engine, script, "--user=0").count("Read-only file system")
    check(refusals == len(MAY_NOT_WRITE.split()), "elsewhere not even root can write")


def check_libraries(engine: Engine) -> None:
    """Check that what the Dockerfile leaves out is not missed: libraries, and what S3 needs of botocore."""
    script = "find /opt/demix -name '*.so' ! -path '*.libs/*' -exec ldd {} + 2>&1 | grep 'not found'; true"
    missing = shell(engine, script).strip()
    check(not missing, f"no library is missing{missing}")
    names = ("s3", "signin", "sso", "sso-oidc", "sts")
    client = "botocore.session.get_session().create_client(name, region_name='eu-central-1').meta.endpoint_url"
    code = f"import botocore.session; print(all('https://' in {client} for name in {names}))"
    check(engine.podman("exec", NAME, "python", "-c", code) == "True\n", f"botocore knows {', '.join(names)}")


def shell(engine: Engine, script: str, *options: str) -> str:
    """Run a script in the container."""
    return engine.podman("exec", *options, NAME, "sh", "-c", script)


def client(engine: Engine, what: str, folder: Path) -> None:
    """Run `image_client.py` in the container's network, which has no other way in."""
    process = engine.podman("inspect", "--format={{.State.Pid}}", NAME).strip()
    inside = ("nsenter", f"--target={process}", "--net")
    say(run(*inside, sys.executable, ROOT / "docker/image_client.py", what, folder / "begun").rstrip())


def stop(engine: Engine) -> None:
    """Ask it to end, as `docker stop` does."""
    started = time.monotonic()
    engine.podman("kill", "--signal=TERM", NAME)
    code = engine.podman("wait", NAME).strip()
    seconds = time.monotonic() - started
    check(code == "0" and seconds < STOP_SECONDS, f"after SIGTERM exit {code} within {seconds:.1f} s")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ImageError as failure:
        sys.exit(f"image-test: {failure}")
