#!/bin/bash
# Runs a class with Kafka's jars. Called by the name of a tool (a link to this file) it
# runs the tool's class, as the table says that was made with the image.
set -eu

home=/opt/kafka
name=$(basename "$0")
classes=()
if [[ $name != kafka-run-class.sh ]]; then
  read -r -a classes < <(sed -n "s/^$name //p" "$home/bin/.tools")
fi

# Apache's scripts take -daemon first. A container keeps its server in the foreground,
# where signals reach it, so that is refused rather than ignored.
if [[ ${1:-} == -daemon ]]; then
  echo "$name: -daemon is not supported in this image" >&2
  exit 1
fi

# A server logs to the console, a tool only warnings and to the standard error.
case $name in
  *-server-start.sh) heap='-Xms128m -Xmx384m' logging=server ;;
  *) heap='-Xmx256m' logging=tools ;;
esac
if [[ -e $home/config/$logging-log4j2.xml ]]; then
  logging=-Dlog4j2.configurationFile=$home/config/$logging-log4j2.xml
else
  logging=-Dlog4j.configuration=file:$home/config/$logging-log4j.properties
fi

case $name in
  # It would show log4j's settings through classes that log4j's mended fork left out.
  zookeeper-server-start.sh) logging+=' -Dzookeeper.jmx.log4j.disable=true' ;;
  # Apache's script takes the server's address first.
  zookeeper-shell.sh) classes+=(-server) ;;
esac

# Jar by jar and in one order: an archive of classes (kafka.jsa) is only good for the class path
# that it was made with.
LC_ALL=C
jars=("$home"/libs/*.jar)
printf -v path '%s:' "${jars[@]}"

# The small compiler and collector start fast and need little memory, which matters more
# than throughput when many brokers share a machine. Unquoted: each holds several words.
# exec: the JVM takes this process's place, so a signal to the container's first process
# reaches it.
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS-$heap} \
  ${KAFKA_JVM_PERFORMANCE_OPTS--XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.awt.headless=true} \
  ${KAFKA_LOG4J_OPTS-$logging} ${KAFKA_JMX_OPTS-} ${KAFKA_OPTS-} \
  -cp "${path%:}${CLASSPATH:+:$CLASSPATH}" "${classes[@]}" "$@"
