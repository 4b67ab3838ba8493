using System.Numerics;

namespace VfioUser;

/// <summary>Advanced error reporting: which errors there were, the header of the request that failed, and which errors the guest has
/// enabled reports of.</summary>
/// <remarks>
/// <para>Any thread. PCI Express 6.0 7.8.4; what a report changes is in 6.2.5.</para>
/// <para>vfio-user has no message for an error, and root ports are the client's: a guest finds the errors in the registers, but its
/// error handler is not called. <see cref="PciDevice.AddErrorIrq"/> reports an error to the client, and QEMU then stops the machine.</para>
/// </remarks>
public sealed class AerCapability : PciCapability
{
    internal const int Length = 0x2C;
    internal const byte Version = 2;

    /// <summary>DWORDs in the header log.</summary>
    private const int HeaderLength = 4;

    private const uint FirstErrorPointer = 0x1F;
    private const uint EcrcCapable = 0x0A0; // generation and check
    private const uint EcrcEnable = 0x140;

    private const AerUncorrectableErrors FatalByDefault =
        AerUncorrectableErrors.DataLinkProtocol | AerUncorrectableErrors.SurpriseDown | AerUncorrectableErrors.FlowControlProtocol |
        AerUncorrectableErrors.ReceiverOverflow | AerUncorrectableErrors.MalformedTlp | AerUncorrectableErrors.Internal;

    private const AerCorrectableErrors MaskedByDefault =
        AerCorrectableErrors.AdvisoryNonFatal | AerCorrectableErrors.Internal | AerCorrectableErrors.HeaderLogOverflow;

    private readonly Lock _lock = new();
    private readonly ConfigSpace _config;
    private readonly PciExpressCapability _express;
    private readonly AerOptions _options;
    private readonly Register<AerUncorrectableErrors> _uncorrectable, _uncorrectableMask, _severity;
    private readonly Register<AerCorrectableErrors> _correctable, _correctableMask;
    private readonly Register<uint> _control;
    private readonly RegisterArray<uint> _header;

    internal AerCapability(ConfigSpace config, PciExpressCapability express, RegisterBlock block, int offset, AerOptions options)
        : base(PciRegister.ExtendedAdvancedErrorReporting, offset, Length)
    {
        (_config, _express, _options) = (config, express, options);
        AerUncorrectableErrors all = options.Uncorrectable;
        _uncorrectable = block.AddRegister<AerUncorrectableErrors>(0x04, new() { Name = "UESTA", WriteMask = 0, WriteOneToClear = all, Sticky = all });
        _uncorrectableMask = block.AddRegister<AerUncorrectableErrors>(0x08, new()
        {
            Name = "UEMSK",
            ResetValue = all & AerUncorrectableErrors.Internal,
            WriteMask = all,
            Sticky = all,
        });
        _severity = block.AddRegister<AerUncorrectableErrors>(0x0C, new() { Name = "UESVRT", ResetValue = all & FatalByDefault, WriteMask = all, Sticky = all });
        AerCorrectableErrors correctable = options.Correctable;
        _correctable = block.AddRegister<AerCorrectableErrors>(0x10, new() { Name = "CESTA", WriteMask = 0, WriteOneToClear = correctable, Sticky = correctable });
        _correctableMask = block.AddRegister<AerCorrectableErrors>(0x14, new()
        {
            Name = "CEMSK",
            ResetValue = correctable & MaskedByDefault,
            WriteMask = correctable,
            Sticky = correctable,
        });
        _control = block.AddRegister<uint>(0x18, new()
        {
            Name = "AERCAP",
            ResetValue = options.Ecrc ? EcrcCapable : 0,
            WriteMask = options.Ecrc ? EcrcEnable : 0,
            Sticky = uint.MaxValue,
        });
        _header = block.AddRegisters<uint>(0x1C, HeaderLength, new() { Name = "HDRLOG", Access = RegisterAccess.ReadOnly, Sticky = uint.MaxValue });
    }

    /// <summary>The uncorrectable errors that were reported and that the guest has not cleared.</summary>
    public AerUncorrectableErrors Uncorrectable => _uncorrectable.Value;

    /// <summary>The correctable errors that were reported and that the guest has not cleared.</summary>
    public AerCorrectableErrors Correctable => _correctable.Value;

    /// <summary>Reports an uncorrectable error; the guest's severity register says whether it is fatal.</summary>
    /// <param name="error">One error, which the device was declared with.</param>
    /// <param name="header">The header of the TLP in which it was found, for the header log: up to four DWORDs, the header's byte 0 in the
    /// highest bits of the first. Empty if there is none.</param>
    /// <returns>The message that a device on a bus would send.</returns>
    /// <exception cref="ArgumentException">It is not one error that the device was declared with, or the header is longer than four
    /// DWORDs.</exception>
    /// <remarks>Any thread. A masked error only shows in the status register. The log keeps the first error until the guest clears
    /// its bit. PCI Express 6.0 6.2.4.2, 6.2.4.3.</remarks>
    public AerMessage Report(AerUncorrectableErrors error, ReadOnlySpan<uint> header = default)
    {
        Check(error, header);
        lock (_lock)
        {
            bool fatal = (_severity.Value & error) != 0;
            bool masked = (_uncorrectableMask.Value & error) != 0;
            DeviceErrors kind = fatal ? DeviceErrors.Fatal : DeviceErrors.NonFatal;
            _express.Detected(kind | KindOf(error));
            Log(error, header, masked);
            if (masked || !IsReported(kind, error))
                return AerMessage.None;
            if (_config.SystemErrorEnabled)
                _config.SignalSystemError();
            return fatal ? AerMessage.Fatal : AerMessage.NonFatal;
        }
    }

    /// <summary>Reports an uncorrectable error that another component handles, such as the sender of a request that the device cannot
    /// complete. It counts as a correctable one, <see cref="AerCorrectableErrors.AdvisoryNonFatal"/>, unless the guest's severity
    /// register makes it fatal or the device was declared without that one.</summary>
    /// <inheritdoc cref="Report(AerUncorrectableErrors, ReadOnlySpan{uint})"/>
    /// <remarks>Any thread. PCI Express 6.0 6.2.3.2.4.</remarks>
    public AerMessage ReportAdvisory(AerUncorrectableErrors error, ReadOnlySpan<uint> header = default)
    {
        Check(error, header);
        lock (_lock)
        {
            if ((_severity.Value & error) == 0 && (_options.Correctable & AerCorrectableErrors.AdvisoryNonFatal) != 0)
            {
                _express.Detected(DeviceErrors.Correctable | KindOf(error));
                _correctable.SetBits(AerCorrectableErrors.AdvisoryNonFatal);
                if ((_correctableMask.Value & AerCorrectableErrors.AdvisoryNonFatal) != 0)
                    return AerMessage.None;
                bool masked = (_uncorrectableMask.Value & error) != 0;
                Log(error, header, masked);
                return IsEnabled(DeviceErrors.Correctable, error) ? AerMessage.Correctable : AerMessage.None;
            }
        }
        return Report(error, header);
    }

    /// <summary>Reports a correctable error.</summary>
    /// <param name="error">One error, which the device was declared with.</param>
    /// <returns>The message that a device on a bus would send.</returns>
    /// <exception cref="ArgumentException">It is not one error that the device was declared with.</exception>
    /// <remarks>Any thread. PCI Express 6.0 6.2.4.1.</remarks>
    public AerMessage Report(AerCorrectableErrors error)
    {
        if (!BitOperations.IsPow2((uint)error) || (error & _options.Correctable) == 0)
            throw new ArgumentException($"{error} is not one of the correctable errors {_options.Correctable} of the device.", nameof(error));
        lock (_lock)
        {
            _express.Detected(DeviceErrors.Correctable);
            _correctable.SetBits(error);
            bool masked = (_correctableMask.Value & error) != 0;
            return !masked && IsEnabled(DeviceErrors.Correctable) ? AerMessage.Correctable : AerMessage.None;
        }
    }

    private static DeviceErrors KindOf(AerUncorrectableErrors error) =>
        error == AerUncorrectableErrors.UnsupportedRequest ? DeviceErrors.UnsupportedRequest : DeviceErrors.None;

    private void Check(AerUncorrectableErrors error, ReadOnlySpan<uint> header)
    {
        if (!BitOperations.IsPow2((uint)error) || (error & _options.Uncorrectable) == 0)
            throw new ArgumentException($"{error} is not one of the uncorrectable errors {_options.Uncorrectable} of the device.", nameof(error));
        if (header.Length > HeaderLength)
            throw new ArgumentException($"The header log has {HeaderLength} DWORDs, and the header {header.Length}.", nameof(header));
    }

    // Sets the status. The log belongs to the first error that is not masked, for as long as its bit is set.
    private void Log(AerUncorrectableErrors error, ReadOnlySpan<uint> header, bool masked)
    {
        var first = (AerUncorrectableErrors)(1u << (int)(_control.Value & FirstErrorPointer));
        if (!masked && (_uncorrectable.Value & first) == 0)
        {
            _control.Update(FirstErrorPointer, (uint)BitOperations.Log2((uint)error));
            for (int i = 0; i < HeaderLength; i++)
                _header[i].Value = i < header.Length ? header[i] : 0;
        }
        _uncorrectable.SetBits(error);
    }

    // SERR# Enable reports all but correctable errors, whatever Device Control says.
    private bool IsReported(DeviceErrors kind, AerUncorrectableErrors error) => _config.SystemErrorEnabled || IsEnabled(kind, error);

    private bool IsEnabled(DeviceErrors kind, AerUncorrectableErrors error = AerUncorrectableErrors.None) =>
        _express.ReportedErrors.HasFlag(kind | KindOf(error));
}
