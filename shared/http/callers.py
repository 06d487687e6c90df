"""Who may ask what: the parameters that all routes share."""

from typing import Annotated

from fastapi import Depends, Query

from returpost.contracts import Name
from shared.http.auth import ADMINISTER, Caller, requires

Checker = Annotated[Caller, Depends(requires("check"))]
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Administrator = Annotated[Caller, Depends(requires(ADMINISTER))]
Tenant = Annotated[Name | None, Query()]
