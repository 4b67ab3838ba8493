namespace VfioUser.Testing.Linux;

/// <summary>What the memory of a machine is made of, and with that whether servers can map it.</summary>
public enum MachineMemory
{
    /// <summary>A memfd that cannot shrink: servers map it.</summary>
    SealedMemfd,

    /// <summary>A memfd without seals: servers map it if they trust the client, or else read and write the file.</summary>
    UnsealedMemfd,

    /// <summary>A file on tmpfs. As without seals.</summary>
    TmpfsFile,

    /// <summary>The machine's alone (<c>share=off</c>): servers send messages for each access.</summary>
    NotShared,

    /// <summary>Huge pages, where the host has some. As without seals.</summary>
    HugePages,
}
