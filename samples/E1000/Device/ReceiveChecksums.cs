using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>What the card says of the checksums of a frame that it received. Command thread.</summary>
internal sealed class ReceiveChecksums
{
    private readonly RegisterField<byte> _start;
    private readonly RegisterField<bool> _checksIp, _checksTcp;

    public ReceiveChecksums(RegisterBlock csr)
    {
        Register<uint> control = csr.AddRegister<uint>(0x5000, new() { Name = "RXCSUM", WriteMask = 0x7FF });
        _start = control.AddField<byte>(0, 8, "PCSS");
        _checksIp = control.AddFlag(8, "IPOFLD");
        _checksTcp = control.AddFlag(9, "TUOFLD");
    }

    /// <summary>Sum of all words from where the guest said.</summary>
    public ushort Sum(ReadOnlySpan<byte> frame) => InternetChecksum.Sum(frame[Math.Min(_start.Value, frame.Length)..]);

    public ReceiveStatus Check(ReadOnlySpan<byte> frame)
    {
        ReceiveStatus status = 0;
        if (_checksIp.Value)
            status |= StatusOf(FrameChecksums.CheckIPv4(frame), ReceiveStatus.IpChecksumChecked, ReceiveStatus.IpChecksumError);
        if (_checksTcp.Value)
            status |= StatusOf(FrameChecksums.CheckTransport(frame), ReceiveStatus.TcpChecksumChecked, ReceiveStatus.TcpChecksumError);
        return status == 0 ? ReceiveStatus.IgnoreChecksums : status;
    }

    private static ReceiveStatus StatusOf(ChecksumState state, ReceiveStatus isChecked, ReceiveStatus error) => state switch
    {
        ChecksumState.Valid => isChecked,
        ChecksumState.Wrong => isChecked | error,
        _ => 0,
    };
}
