# SPDX-License-Identifier: Apache-2.0
"""A laboratory of network namespaces on this machine: caller - Strowger - three targets, and a stranger whom nobody knows.

  testbed/lab up                          make it and start strowgerd in it
  testbed/lab status                      what there is
  testbed/lab exec caller ping 10.77.0.1  run a command inside a node
  testbed/lab exec strowger strowgerctl status
  testbed/lab down                        remove all of it

STROWGER_LAB=NAME in the environment names the lab, so that several can stand side by side; STROWGER_BUILD is the folder
with strowgerd in it. Everything a lab leaves lies in /tmp/strowger-lab-NAME."""

import argparse
import json
import os
import sys

from lab import Lab, LabError, STRATEGIES, configuration
from network import NetworkError


def arguments():
    parser = argparse.ArgumentParser(prog="testbed/lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="up|down|status|exec")
    up = verbs.add_parser("up", help="make it and start strowgerd in it")
    up.add_argument("--driver", choices=("af_packet", "af_xdp"), default="af_packet", help="DPDK driver of the port")
    up.add_argument("--workers", type=int, default=1, metavar="N", help="workers, and queues of the port")
    up.add_argument("--strategy", choices=STRATEGIES, default="round_robin", help="of the profile behind the lab's number")
    up.add_argument("--config", metavar="FILE", help="strowgerd's configuration instead of the lab's own")
    up.add_argument("--no-daemon", action="store_true", help="the network only")
    verbs.add_parser("down", help="remove all of it")
    status = verbs.add_parser("status", help="what there is")
    status.add_argument("--json", action="store_true")
    execute = verbs.add_parser("exec", help="run a command inside a node")
    execute.add_argument("node")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def show(status):
    if not status["nodes"]:
        print(f"lab {status['lab']}: down")
        return
    print(f"lab {status['lab']}: {'up' if status['up'] else 'half there (testbed/lab down removes it)'}, "
          f"{status.get('driver', '?')}, files in {status['directory']}")
    for node, where in status["nodes"].items():
        print(f"  {node:10} {where.get('ipv4', ''):12} {where.get('ipv6', '')}".rstrip())
    for name, pid in status["processes"].items():
        print(f"  {name}: pid {pid}")
    daemon = status.get("strowgerd")
    if daemon:
        print(f"  strowgerd {daemon['version']}: {daemon['state']}, {daemon['workers']} worker(s), "
              f"up {daemon['uptime_s']} s, calls {json.dumps(daemon['calls'])}")
    else:
        print("  strowgerd does not answer" if "strowgerd" in status else "  strowgerd does not run")


def main():
    options = arguments()
    lab = Lab()
    if os.geteuid() != 0:
        sys.exit("testbed/lab: network namespaces need root")
    if options.verb == "up":
        config = options.config or configuration(lab, options.driver, options.workers, options.strategy)
        lab.up(options.driver, options.workers, config, daemon=not options.no_daemon)
        show(lab.status())
    elif options.verb == "down":
        lab.down()
    elif options.verb == "status":
        status = lab.status()
        if options.json:
            print(json.dumps(status, indent=2))
        else:
            show(status)
    elif options.command:
        lab.execute(options.node, options.command)
    else:
        sys.exit("testbed/lab exec: no command given")


if __name__ == "__main__":
    try:
        main()
    except (LabError, NetworkError) as error:
        sys.exit(f"testbed/lab: {error}")
