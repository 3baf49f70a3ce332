"""The CloudFormation stacks: deployed and destroyed by the same code in the local gateway and on AWS."""

from nearcast.deploy.change_sets import Change, ChangeSet
from nearcast.deploy.deployment import Deployed, Planned, deploy, plan
from nearcast.deploy.destruction import Doomed, destroy
from nearcast.deploy.parameters import ParameterError

__all__ = [
    "Change",
    "ChangeSet",
    "Deployed",
    "Doomed",
    "ParameterError",
    "Planned",
    "deploy",
    "destroy",
    "plan",
]
