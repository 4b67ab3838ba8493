namespace VfioUser.PowerLoss.Tests;

/// <summary>Which device the guest has.</summary>
public enum Device
{
    Nvme,
    VirtioBlock,
}

/// <summary>What is between the device and the medium: the NBD client, or a file in a cache mode.</summary>
public enum Backend
{
    Nbd,
    Writeback,
    None,
    Writethrough,
    DirectSync,
    Unsafe,
}
