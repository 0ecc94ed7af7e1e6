#!/bin/sh
/bin/poweroff
