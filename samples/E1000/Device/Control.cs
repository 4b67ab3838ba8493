namespace E1000.Device;

/// <summary>Bits of CTRL.</summary>
[Flags]
internal enum Control : uint
{
    FullDuplex = 1 << 0,
    LinkReset = 1 << 3,
    AutoSpeedDetection = 1 << 5,
    SetLinkUp = 1 << 6,
    InvertLossOfSignal = 1 << 7,
    Speed100 = 1 << 8,
    Speed1000 = 1 << 9,
    ForceSpeed = 1 << 11,
    ForceDuplex = 1 << 12,
    Reset = 1 << 26,
    ReceiveFlowControl = 1 << 27,
    TransmitFlowControl = 1 << 28,
    VlanMode = 1 << 30,
    PhyReset = 1u << 31,
}
