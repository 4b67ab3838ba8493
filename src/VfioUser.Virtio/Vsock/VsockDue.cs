namespace VfioUser.Virtio;

/// <summary>What the guest has to be told of a connection, beside its data.</summary>
[Flags]
internal enum VsockDue
{
    None = 0,
    Request = 1 << 0,
    Response = 1 << 1,
    CreditUpdate = 1 << 2,
    CreditRequest = 1 << 3,
    Reset = 1 << 4,
}
