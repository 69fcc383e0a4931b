# Part of preinst and of %pre, before anything on the machine is changed: @VERSION@ is this package's.
note=/var/lib/helios/version
if [ -s "$note" ]; then
    ran=$(cat "$note")
    newest=$(printf '%s\n%s\n' "$ran" '@VERSION@' | sort -V | tail -n 1)
    if [ "$newest" != '@VERSION@' ]; then
        cat >&2 <<REFUSED
helios: version $ran has run on the data in /var/lib/helios, and version @VERSION@ is older: it may not be able to read
helios: what the newer one wrote. Nothing was changed. To go back all the same: stop helios, restore /var/lib/helios from
helios: a backup made before the upgrade, remove $note, and install again.
REFUSED
        exit 1
    fi
fi
