using VfioUser.Protocol;

namespace VfioUser.Tool.Decoding;

/// <summary>Decodes the payload of DEVICE_FEATURE. Spec: "VFIO_USER_DEVICE_FEATURE".</summary>
internal static class FeatureDecoder
{
    public static void Decode(ReadOnlySpan<byte> payload, bool reply, Fields to)
    {
        if (!to.TryRead(ref payload, DeviceFeature.WireSize, out DeviceFeature feature))
            return;
        to.Text("feature", feature.Feature.ToString()).Flags(feature.Flags & ~DeviceFeatureFlags.IndexMask, "method");
        // a probe has no data, and a get has it in the reply
        bool get = (feature.Flags & DeviceFeatureFlags.Get) != 0;
        if ((feature.Flags & DeviceFeatureFlags.Probe) != 0 || (get && !reply && feature.Feature != DeviceFeatureId.DmaLoggingReport) || payload.IsEmpty)
            return;
        switch (feature.Feature)
        {
            case DeviceFeatureId.Migration:
                if (to.TryRead(ref payload, MigrationFeature.WireSize, out MigrationFeature migration))
                    to.Flags(migration.Flags, "migration");
                break;
            case DeviceFeatureId.MigDataSize:
                if (to.TryRead(ref payload, MigrationDataSize.WireSize, out MigrationDataSize size))
                    to.Number("stop_copy_length", size.StopCopyLength);
                break;
            case DeviceFeatureId.MigDeviceState:
                if (to.TryRead(ref payload, MigrationDeviceState.WireSize, out MigrationDeviceState state))
                    to.Text("state", state.State.ToString());
                break;
            case DeviceFeatureId.DmaLoggingStart:
                if (to.TryRead(ref payload, DmaLoggingControl.WireSize, out DmaLoggingControl control))
                    to.Number("page_size", control.PageSize).Number("ranges", control.RangeCount);
                break;
            case DeviceFeatureId.DmaLoggingReport:
                if (to.TryRead(ref payload, DmaLoggingReport.WireSize, out DmaLoggingReport report))
                {
                    to.Hex("iova", report.Iova).Hex("length", report.Length).Number("page_size", report.PageSize);
                    to.Data(payload);
                }
                break;
            default:
                to.Data(payload);
                break;
        }
    }
}
