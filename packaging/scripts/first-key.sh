# Part of postinst and of %post: the control plane's key, made by the cryptographic module, once and never replaced.
key=/etc/helios/credentials/control.key
if [ ! -e "$key" ]; then
    helios key new "$key"
fi
